from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class StaffConfig(AppConfig):
    name = "staff"
    verbose_name = _("Staff pages")

    def ready(self) -> None:
        from . import self_test  # noqa: F401  # registers its job


class StaffAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "staff.site.StaffSite"

    def ready(self) -> None:
        """Register every kind of task and mail that has no admin of its own."""
        super().ready()
        from django.contrib import admin
        from django_rq.models import Dashboard

        from tasks.models import mail_models, task_models

        from .admin import MailAdmin, TaskAdmin
        from .rq_dashboard import GuardedQueueAdmin

        for task_model in task_models():
            if not admin.site.is_registered(task_model):
                admin.site.register(task_model, TaskAdmin)
        for mail_model in mail_models():
            if not admin.site.is_registered(mail_model):
                admin.site.register(mail_model, MailAdmin)
        admin.site.unregister(Dashboard)
        admin.site.register(Dashboard, GuardedQueueAdmin)
