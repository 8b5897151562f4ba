"""Private messages between two users."""

from collections.abc import Iterable

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from microblog.http import AuthenticatedRequest, is_fragment_request

from .. import drafts, rate_limits
from ..forms import MessageForm
from ..linkify import attach_mentions
from ..models import Conversation, Message, Participant, User
from ..notifications import notify_message
from ..pagination import (
    BEGINNING,
    PAGE_SIZE,
    Cursor,
    format_cursor,
    newer_rows,
    paginate,
    parse_cursor,
)


@require_safe
@login_required
def conversation_list(request: AuthenticatedRequest) -> HttpResponse:
    participants = request.user.conversations.listed_for(request.user).select_related("other")
    page = paginate(participants, request.GET.get("before"), order_by="last_message_at")
    last_messages = Message.objects.last_by_conversation(page.items)
    context = {
        "page": page,
        "conversations": [
            (participant, last_messages.get(participant.conversation_id))
            for participant in page.items
        ],
    }
    return render(request, "blog/conversation_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("body", redirect_back=True)
def conversation_detail(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """Show the conversation with a user, or send a message; the first one creates it."""
    participant = _get_participant(request.user, username)
    if request.method != "POST":
        if participant.other.username != username:
            return redirect("conversation-detail", participant.other.username)
        form = MessageForm(initial=drafts.pop(request, request.path))
        status = 403 if participant.is_blocked else 200
        return _render_conversation(request, participant, form, status)
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _render_conversation(request, participant, form, status=422)
    if _closed_reason(participant):
        form.add_error("body", _("Your message was not sent."))
        return _render_conversation(request, participant, form, status=403)
    if seconds := rate_limits.consume(request, "message"):
        form.add_error("body", rate_limits.error_message(seconds))
        response = _render_conversation(request, participant, form, status=429)
        return rate_limits.with_retry_after(response, seconds)
    after = parse_cursor(request.POST.get("after"), Message)
    conversation = _send_message(participant, form.cleaned_data["body"], after)
    if is_fragment_request(request):
        return _render_updates(request, conversation.pk, after or BEGINNING, status=201)
    url = reverse("conversation-detail", args=[participant.other.username])
    return redirect(f"{url}#newest")


def _send_message(participant: Participant, body: str, after: Cursor | None) -> Conversation:
    with transaction.atomic():
        conversation = Conversation.objects.get_or_create_between(
            participant.person, participant.other
        )
        message = conversation.add_message(participant.person, participant.other, body, after)
        if message:
            notify_message(message)
        if after and participant.pk:
            participant.mark_read(after)  # the sender's page showed messages up to here
    return conversation


def _get_participant(user: User, username: str) -> Participant:
    """Return the user's side of the conversation with the other user.

    Unsaved if there is no conversation yet. Raises Http404 if there cannot be one.
    """
    participants = user.conversations.select_related("conversation", "other")
    if participant := participants.filter(other__username__lower=username.lower()).first():
        return participant
    others = User.objects.visible_to(user).exclude(pk=user.pk)
    other = get_object_or_404(others, username__lower=username.lower())
    return Participant(person=user, other=other)


def _closed_reason(participant: Participant) -> str:
    """Return why neither user can send messages, or "" if both can."""
    name = participant.other.username
    if participant.is_blocked:
        # The text does not say who blocked whom: blocks are secret.
        return _("You and %(name)s cannot write to each other any more.") % {"name": name}
    if not participant.other.is_active:
        return _("%(name)s has closed their account, and reads no messages any more.") % {
            "name": name
        }
    return ""


def _render_conversation(
    request: AuthenticatedRequest, participant: Participant, form: MessageForm, status: int
) -> HttpResponse:
    if participant.is_blocked:
        messages = Message.objects.none()
    else:
        messages = Message.objects.filter(conversation=participant.conversation_id)
    page = paginate(messages, request.GET.get("before"))
    attach_mentions(page.items, request.user)
    context = {
        "person": participant.other,
        "page": page,
        "message_list": page.items[::-1],
        "seen": _newest_seen_message(request.user, page.items) if page.is_newest else None,
        "newest_cursor": format_cursor(page.items[0]) if page.items else "0-0",
        "has_unread": any(
            message.recipient_id == request.user.pk and not message.read_at
            for message in page.items
        ),
        "form": form,
        "closed_reason": _closed_reason(participant),
    }
    return render(request, "blog/conversation_detail.html", context, status=status)


def _newest_seen_message(sender: User, newest_first: Iterable[Message]) -> Message | None:
    return next(
        (message for message in newest_first if message.sender_id == sender.pk and message.read_at),
        None,
    )


@require_safe
@login_required
@rate_limits.rate_limited("poll")
def conversation_poll(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """Return as a fragment the messages newer than `?after=`, and what the recipient has read."""
    participant = _get_participant(request.user, username)
    after = parse_cursor(request.GET.get("after"), Message)
    if participant.is_blocked:
        raise Http404("blocked")
    return _render_updates(request, participant.conversation_id, after or BEGINNING)


def _render_updates(
    request: AuthenticatedRequest, conversation_id: int | None, after: Cursor, status: int = 200
) -> HttpResponse:
    messages = Message.objects.filter(conversation=conversation_id)
    new_messages = list(newer_rows(messages, after)[:PAGE_SIZE])
    attach_mentions(new_messages, request.user)
    newest = messages.newest_first().only("sender", "read_at")[:PAGE_SIZE]
    context = {"message_list": new_messages, "seen": _newest_seen_message(request.user, newest)}
    return render(request, "blog/conversation_updates.html", context, status=status)


@require_POST
def conversation_read(request: HttpRequest, username: str) -> HttpResponse:
    """Mark messages as read, up to `until`: the cursor of the newest message that was shown."""
    url = reverse("conversation-detail", args=[username])
    if not request.user.is_authenticated:
        return redirect_to_login(url)
    participant = _get_participant(request.user, username)
    if until := parse_cursor(request.POST.get("until", ""), Message):
        participant.mark_read(until)
    return HttpResponse(status=204) if is_fragment_request(request) else redirect(url)
