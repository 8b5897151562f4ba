"""Where people make tokens, and revoke them."""

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from blog.http import PersonRequest
from blog.models import ApiToken

from .forms import TokenForm


@require_safe
@login_required
def token_list(request: PersonRequest) -> HttpResponse:
    tokens = ApiToken.objects.alive(request.user).order_by("-created_at")
    return render(request, "api/token_list.html", {"tokens": tokens})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
def token_create(request: PersonRequest) -> HttpResponse:
    """Shows the secret in the answer itself, and never again."""
    form = TokenForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if made := form.make():
                token, secret = made
                get_adapter().send_notification_mail("account/email/api_token_made", request.user, {"token": token})
                return render(request, "api/token_made.html", {"token": token, "secret": secret}, status=201)
    return render(request, "api/token_create.html", {"form": form}, status=422 if form.is_bound else 200)


@require_POST
@login_required(redirect_field_name=None)
def token_revoke(request: PersonRequest, pk: int) -> HttpResponse:
    get_object_or_404(ApiToken, pk=pk, owner=request.user).delete()
    messages.success(request, _("The token is revoked. What used it is locked out."))
    return redirect("token-list")
