"""Permissions for the staff pages; migration 0005_roles grants them to groups."""

VIEW = "exports.view_exporttask"
OPERATE = "exports.operate_exporttask"
DASHBOARD = "django_rq.admin"
