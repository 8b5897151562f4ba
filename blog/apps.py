from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class BlogConfig(AppConfig):
    name = "blog"
    verbose_name = _("Microblog")

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added
        from django.contrib.auth.signals import user_logged_in

        from microblog import checks  # noqa: F401 - registers the checks of the site's settings

        from . import sweeper
        from .accounts import sessions
        from .search import index as search_index

        post_migrate.connect(search_index.install, sender=self)
        user_logged_in.connect(sessions.record_sign_in)
        authenticator_added.connect(sessions.verify_staff_after_setup)
        sweeper.register()
