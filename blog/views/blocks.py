"""Mutes and blocks of other users."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from microblog.http import AuthenticatedRequest, safe_next_url

from ..models import Block, User, unblocked
from ..pagination import paginate


def _get_other_user_or_404(request: AuthenticatedRequest, username: str) -> User:
    others = User.objects.visible_to(request.user).exclude(pk=request.user.pk)
    return get_object_or_404(others, username__lower=username.lower())


@require_POST
@login_required(redirect_field_name=None)
def mute_create(request: AuthenticatedRequest, username: str) -> HttpResponse:
    person = _get_other_user_or_404(request, username)
    request.user.mutes.get_or_create(muted=person)
    messages.success(
        request, _("You will not come across %(name)s any more.") % {"name": person.username}
    )
    return redirect(safe_next_url(request, person.get_absolute_url()))


@require_POST
@login_required(redirect_field_name=None)
def mute_delete(request: AuthenticatedRequest, username: str) -> HttpResponse:
    request.user.mutes.filter(muted__username__lower=username.lower()).delete()
    return redirect(safe_next_url(request, reverse("profile", args=[username])))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def block_create(request: AuthenticatedRequest, username: str) -> HttpResponse:
    person = _get_other_user_or_404(request, username)
    if request.method == "POST":
        Block.objects.block(request.user, person)
        return redirect(person)
    return render(request, "blog/block_create.html", {"person": person})


@require_POST
@login_required(redirect_field_name=None)
def block_delete(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """Unblock a user; unknown names get the same response.

    Otherwise the page would reveal which users have blocked the reader.
    """
    request.user.blocks.filter(blocked__username__lower=username.lower()).delete()
    messages.success(request, _("%(name)s is not blocked any more.") % {"name": username})
    return redirect(safe_next_url(request, reverse("block-list")))


@require_safe
@login_required
def block_list(request: AuthenticatedRequest) -> HttpResponse:
    blocks = request.user.blocks.filter(blocked__is_active=True).select_related("blocked")
    mutes = request.user.mutes.filter(
        unblocked(request.user, "muted"), muted__is_active=True
    ).select_related("muted")
    pages = {
        "blocks": paginate(blocks, request.GET.get("blocked")),
        "mutes": paginate(mutes, request.GET.get("muted")),
    }
    return render(request, "blog/block_list.html", pages)
