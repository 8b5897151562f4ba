"""What one may be allowed to do at the desk; the migration of the roles says who is."""

VIEW = "exports.view_exporttask"
OPERATE = "exports.operate_exporttask"
DASHBOARD = "django_rq.admin"
