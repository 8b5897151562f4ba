from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BlogConfig(AppConfig):
    name = "blog"
    verbose_name = _("Microblog")

    def ready(self) -> None:
        from . import moderation, notifications

        notifications.register("hidden", moderation.describe_hidden)
        notifications.register("report", moderation.describe_report)
