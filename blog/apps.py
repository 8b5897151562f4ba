from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class BlogConfig(AppConfig):
    name = "blog"
    verbose_name = _("Microblog")

    def ready(self) -> None:
        from allauth.account.signals import password_reset
        from allauth.mfa.signals import authenticator_added, authenticator_removed
        from django.contrib.auth.signals import user_logged_in

        import microblog.checks  # noqa: F401 - registers the checks of the site's settings

        from . import checks, sweeper
        from .accounts import (
            adapter,
            allauth_internals,
            recovery_codes,
            second_factor,
            security_log,
            sessions,
        )
        from .search import index as search_index

        register(checks.check_search_index, Tags.database)
        allauth_internals.replace_recovery_codes(recovery_codes.HashedRecoveryCodes)
        post_migrate.connect(search_index.install, sender=self)
        user_logged_in.connect(sessions.record_sign_in)
        password_reset.connect(adapter.lift_code_limit)
        authenticator_added.connect(sessions.verify_staff_after_setup)
        for signal in (authenticator_added, authenticator_removed):
            signal.connect(second_factor.end_other_sessions)
        security_log.connect()
        sweeper.register()
