from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default = False
    default_site = "exports.staff.site.StaffSite"
