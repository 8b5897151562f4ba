"""Require MFA for the admin."""

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _


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
