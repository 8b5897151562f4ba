from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Exports")

    def ready(self) -> None:
        from blog import notifications

        from . import checks, progress

        notifications.register("export", progress.describe)
        register(checks.shared_services)
        register(checks.timings)
