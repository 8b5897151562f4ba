"""Pages on which users create and revoke API tokens."""

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

from blog.accounts.encryption import encryption_keys
from blog.models import ApiToken
from microblog.http import AuthenticatedRequest

from .forms import TokenForm

SESSION_KEY = "made_token"  # holds the primary key and the encrypted secret of a new token


@require_safe
@login_required
def token_list(request: AuthenticatedRequest) -> HttpResponse:
    tokens = ApiToken.objects.valid_for(request.user).order_by("-created_at")
    return render(request, "api/token_list.html", {"tokens": tokens})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
def token_create(request: AuthenticatedRequest) -> HttpResponse:
    """Create a token, then redirect to the page that shows its secret once.

    Reloading that page does not create another token.
    """
    form = TokenForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if created := form.save():
                token, secret = created
                get_adapter().send_notification_mail(
                    "account/email/api_token_created", request.user, {"token": token}
                )
                encrypted = encryption_keys().encrypt(secret.encode()).decode()
                request.session[SESSION_KEY] = [token.pk, encrypted]
                return redirect("token-created")
    return render(
        request, "api/token_create.html", {"form": form}, status=422 if form.is_bound else 200
    )


@require_GET
@login_required
def token_created(request: AuthenticatedRequest) -> HttpResponse:
    pk, encrypted = request.session.pop(SESSION_KEY, (None, ""))
    token = ApiToken.objects.valid_for(request.user).filter(pk=pk).first()
    if token is None:
        return redirect("token-list")
    secret = encryption_keys().decrypt(encrypted).decode()
    return render(request, "api/token_created.html", {"token": token, "secret": secret})


@require_POST
@login_required(redirect_field_name=None)
def token_revoke(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    get_object_or_404(ApiToken, pk=pk, owner=request.user).delete()
    messages.success(request, _("The token is revoked. What used it is locked out."))
    return redirect("token-list")
