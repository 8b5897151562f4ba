from django.contrib.admin.apps import AdminConfig


class DeskConfig(AdminConfig):
    """Django's admin with our own site in it."""

    default = False
    default_site = "exports.staff.site.DeskSite"
