from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BlogConfig(AppConfig):
    name = "blog"
    verbose_name = _("Microblog")

    def ready(self) -> None:
        from . import conversations, notifications

        notifications.register("message", conversations.describe)
