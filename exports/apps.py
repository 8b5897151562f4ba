from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Exports")

    def ready(self) -> None:
        from anymail.signals import tracking

        from blog import notifications
        from blog.accounts import deletion
        from tasks import jobs

        from . import bounces, checks, delivery, health, metrics, progress, sweeper
        from .deletion import remove_exports

        notifications.register("export", progress.render_progress)
        deletion.before_delete(remove_exports)
        tracking.connect(bounces.record_bounce)
        health.register()
        sweeper.register()
        jobs.register_preloader(delivery.preload)
        metrics.register()
        register(checks.check_shared_services)
        register(checks.check_intervals)
        register(checks.check_monitoring)
        register(checks.check_bounce_webhook, deploy=True)
        register(checks.check_bucket_versioning, deploy=True)
        register(checks.check_account_coverage)
