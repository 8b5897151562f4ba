"""Settings pages. django-allauth has the views for passwords, addresses and MFA."""

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from microblog.http import AuthenticatedRequest

from ..forms import NotificationSettingsForm
from .deletion import request_deletion
from .forms import DeleteAccountForm


@require_safe
@login_required
def settings(request: AuthenticatedRequest) -> HttpResponse:
    return render(
        request, "account/settings.html", {"is_mfa_enabled": is_mfa_enabled(request.user)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notification_settings(request: AuthenticatedRequest) -> HttpResponse:
    form = NotificationSettingsForm(
        request.POST if request.method == "POST" else None, instance=request.user
    )
    if form.is_valid():  # a bound form always is: it has only checkboxes
        form.save()
        messages.success(request, _("Your choice is kept."))
        return redirect("settings")
    return render(request, "account/notification_settings.html", {"form": form})


@require_POST
@login_required(redirect_field_name=None)
def session_end(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """End another session of the user; for the current session, redirect to the sign-out page."""
    session = get_object_or_404(UserSession, pk=pk, user=request.user)
    if session.session_key == request.session.session_key:
        return redirect("account_logout")
    session.end()
    messages.success(request, _("That session is over."))
    return redirect("usersessions_list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_delete(request: AuthenticatedRequest) -> HttpResponse:
    form = DeleteAccountForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        request_deletion(request.user)
        logout(request)
        messages.success(request, _("Your account is gone, and all that was in it. Farewell!"))
        return redirect("home")
    return render(
        request, "account/account_delete.html", {"form": form}, status=422 if form.is_bound else 200
    )
