from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Exports")

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added
        from anymail.signals import tracking

        from blog import notifications
        from blog.accounts import deletion
        from microblog.metrics import registry

        from . import bounces, checks, health, progress
        from .deletion import withdraw_exports
        from .metrics import ExportCollector
        from .staff.second_factor import note_set_up

        notifications.register("export", progress.describe)
        deletion.before_delete(withdraw_exports)
        authenticator_added.connect(note_set_up)
        tracking.connect(bounces.note)
        health.register()
        registry.register(ExportCollector())
        register(checks.shared_services)
        register(checks.timings)
        register(checks.watching)
        register(checks.webhooks, deploy=True)
        register(checks.account_coverage)
