"""Where people make tokens, and revoke them."""

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from blog.accounts.adapter import sealing_keys
from blog.http import AuthenticatedRequest
from blog.models import ApiToken

from .forms import TokenForm

MADE = "made_token"  # in the session: the key of a token that is still to be shown, and its secret, sealed


@require_safe
@login_required
def token_list(request: AuthenticatedRequest) -> HttpResponse:
    tokens = ApiToken.objects.alive(request.user).order_by("-created_at")
    return render(request, "api/token_list.html", {"tokens": tokens})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
def token_create(request: AuthenticatedRequest) -> HttpResponse:
    """Leads to a page that shows the secret once: it can be loaded again without making another token."""
    form = TokenForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if made := form.make():
                token, secret = made
                get_adapter().send_notification_mail(
                    "account/email/api_token_made", request.user, {"token": token}
                )
                request.session[MADE] = [token.pk, sealing_keys().encrypt(secret.encode()).decode()]
                return redirect("token-made")
    return render(
        request, "api/token_create.html", {"form": form}, status=422 if form.is_bound else 200
    )


@require_GET
@login_required
def token_made(request: AuthenticatedRequest) -> HttpResponse:
    pk, sealed = request.session.pop(MADE, (None, ""))
    token = ApiToken.objects.alive(request.user).filter(pk=pk).first()
    if token is None:
        return redirect("token-list")
    secret = sealing_keys().decrypt(sealed).decode()
    return render(request, "api/token_made.html", {"token": token, "secret": secret})


@require_POST
@login_required(redirect_field_name=None)
def token_revoke(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    get_object_or_404(ApiToken, pk=pk, owner=request.user).delete()
    messages.success(request, _("The token is revoked. What used it is locked out."))
    return redirect("token-list")
