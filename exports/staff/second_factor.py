"""Require MFA for the admin."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from blog.accounts.allauth_internals import record_authentication
from blog.models import User


def is_verified(request: HttpRequest) -> bool:
    """Return whether this session has passed the second factor, or does not have to."""
    if not settings.STAFF_SECOND_FACTOR:
        return True
    records = get_authentication_records(request, request.user)
    return is_mfa_enabled(request.user) and any(record.get("method") == "mfa" for record in records)


def redirect_to_verification(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect to the second factor (then back to `url`) or, if there is none, to its setup."""
    if is_mfa_enabled(request.user):
        return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': url})}")
    messages.info(
        request, _("Staff need a second factor. Set it up here; then you can go on to the admin.")
    )
    return redirect("mfa_activate_totp")


def verify_after_setup(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Mark the session as verified: the user has just entered a code to set up TOTP."""
    if user.is_staff and authenticator.type == Authenticator.Type.TOTP:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
        link = format_html('<a href="{}">{}</a>', reverse("admin:index"), _("go on to the admin"))
        messages.info(
            request, format_html(_("Keep your recovery codes in a safe place, then {}."), link)
        )
