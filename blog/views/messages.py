"""Private messages."""

from collections.abc import Iterable

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .. import drafts, news
from .. import linkify
from .. import rate_limits
from ..forms import MessageForm
from ..http import AuthenticatedRequest, is_fragment_request
from ..models import Conversation, Message, Participant, User
from ..pagination import BEGINNING, PAGE_SIZE, Cursor, format_cursor, paginate, parse_cursor, newer_rows


@require_safe
@login_required
def conversation_list(request: AuthenticatedRequest) -> HttpResponse:
    """The liveliest first, each with its last message."""
    places = request.user.conversations.listed_for(request.user).select_related("other")
    page = paginate(places, request.GET.get("before"), order_by="last_message_at")
    last = Message.objects.last_of(page.items)
    shown = [(place, last.get(place.conversation_id)) for place in page.items]
    return render(request, "blog/conversation_list.html", {"page": page, "conversations": shown})


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("body", leads_back=True)
def conversation_detail(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """What the two have written, and the form to write more; the first message begins the conversation."""
    place = _place(request.user, username)
    if request.method != "POST":
        if place.other.username != username:
            return redirect("conversation-detail", place.other.username)
        form = MessageForm(initial=drafts.pop(request, request.path))
        return _conversation(request, place, form, status=403 if place.is_blocked else 200)
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _conversation(request, place, form, status=422)
    if _silence(place):
        form.add_error("body", _("Your message was not sent."))
        return _conversation(request, place, form, status=403)
    if seconds := rate_limits.consume(request, "message"):
        form.add_error("body", rate_limits.error_message(seconds))
        return rate_limits.with_retry_after(_conversation(request, place, form, status=429), seconds)
    after = parse_cursor(request.POST.get("after"), Message)
    conversation = _say(place, form.cleaned_data["body"], after)
    if is_fragment_request(request):
        return _news(request, conversation.pk, after or BEGINNING, status=201)
    return redirect(f"{reverse('conversation-detail', args=[place.other.username])}#newest")


def _say(place: Participant, body: str, after: Cursor | None) -> Conversation:
    """Whoever answers has read what their page showed."""
    with transaction.atomic():
        conversation = Conversation.objects.between(place.person, place.other)
        if message := conversation.say(place.person, place.other, body, after):
            news.wrote(message)
        if after and place.pk:
            place.mark_read(after)
    return conversation


def _place(person: User, username: str) -> Participant:
    """One's side of the conversation with that person, or of one that is still to begin; Http404 if none can."""
    places = person.conversations.select_related("conversation", "other")
    if place := places.filter(other__username__lower=username.lower()).first():
        return place
    others = User.objects.visible_to(person).exclude(pk=person.pk)
    other = get_object_or_404(others, username__lower=username.lower())
    return Participant(person=person, other=other)


def _silence(place: Participant) -> str:
    """Why the two cannot write to each other; empty where they can."""
    if place.is_blocked:
        # Not why: who is blocked is not told.
        return _("You and %(name)s cannot write to each other any more.") % {
            "name": place.other.username
        }
    if not place.other.is_active:
        return _("%(name)s has closed their account, and reads no messages any more.") % {
            "name": place.other.username
        }
    return ""


def _conversation(
    request: AuthenticatedRequest, place: Participant, form: MessageForm, status: int
) -> HttpResponse:
    said = (
        Message.objects.none()
        if place.is_blocked
        else Message.objects.filter(conversation=place.conversation_id)
    )
    page = paginate(said, request.GET.get("before"))
    linkify.attach_mentions(page.items, request.user)
    context = {
        "person": place.other,
        "page": page,
        "said": page.items[::-1],
        "seen": _last_seen(request.user, page.items) if page.is_newest else None,
        "newest": format_cursor(page.items[0]) if page.items else "0-0",
        "has_unread": any(
            message.recipient_id == request.user.pk and not message.read_at
            for message in page.items
        ),
        "form": form,
        "silence": _silence(place),
    }
    return render(request, "blog/conversation_detail.html", context, status=status)


def _last_seen(person: User, newest_first: Iterable[Message]) -> Message | None:
    """The newest of the person's messages that the other has read, where it is among these."""
    return next(
        (message for message in newest_first if message.sender_id == person.pk and message.read_at),
        None,
    )


@require_safe
@login_required
def conversation_news(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """What an open page shows next: the messages after `?after=`, and what the other has seen."""
    place = _place(request.user, username)
    after = parse_cursor(request.GET.get("after"), Message)
    if place.is_blocked:
        raise Http404("blocked")
    return _news(request, place.conversation_id, after or BEGINNING)


def _news(
    request: AuthenticatedRequest, conversation: int | None, after: Cursor, status: int = 200
) -> HttpResponse:
    messages = Message.objects.filter(conversation=conversation)
    said = list(newer_rows(messages, after)[:PAGE_SIZE])
    linkify.attach_mentions(said, request.user)
    newest = messages.newest_first().only("sender", "read_at")[:PAGE_SIZE]
    context = {"said": said, "seen": _last_seen(request.user, newest)}
    return render(request, "blog/_conversation_updates.html", context, status=status)


@require_POST
def conversation_read(request: HttpRequest, username: str) -> HttpResponse:
    """Everything up to `until`, the newest message that the page showed, has been read."""
    back = reverse("conversation-detail", args=[username])
    if not request.user.is_authenticated:
        return redirect_to_login(back)
    place = _place(request.user, username)
    if until := parse_cursor(request.POST.get("until", ""), Message):
        place.mark_read(until)
    return HttpResponse(status=204) if is_fragment_request(request) else redirect(back)
