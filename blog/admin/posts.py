"""Admin pages for posts."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from .. import moderation
from ..forms import PostAdminForm
from ..models import Post, User
from .decisions import HIDE, Decision, ModeratedAdmin


def unhide_post(post: Post, staff: User, form_data: dict[str, Any]) -> None:
    moderation.unhide(post, staff)


def is_hidden(post: Post, staff: User) -> bool:
    return post.hidden_at is not None


UNHIDE = Decision(
    label=_("Show the post again"),
    effect=_("Everyone sees the post again, and its author is told so."),
    success_message=_("The post is shown again."),
    perform=unhide_post,
    is_available=is_hidden,
)


@admin.register(Post)
class PostAdmin(ModeratedAdmin):
    decisions = {"hide": HIDE, "unhide": UNHIDE}
    form = PostAdminForm
    list_display = ["__str__", "author", "created_at", "hidden_at"]
    list_filter = [("hidden_at", admin.EmptyFieldListFilter)]
    list_select_related = ["author"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["body", "author__username"]
    search_help_text = _("Words of the post, or the author's name")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    raw_id_fields = ["author"]
    readonly_fields = ["created_at", "edited_at", "hidden_at", "hidden_by", "hidden_reason"]
