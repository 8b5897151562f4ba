from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TasksConfig(AppConfig):
    name = "tasks"
    verbose_name = _("Background tasks")

    def ready(self) -> None:
        from microblog.metrics import registry

        from . import health
        from .metrics import TaskCollector

        health.register()
        registry.register(TaskCollector())
