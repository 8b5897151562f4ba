"""What people do and others are told of: each a transaction of its own."""

from django.db import transaction

from . import news
from .forms import PostEditForm, PostForm
from .models import Block, Post, User


def publish(form: PostForm | PostEditForm) -> Post:
    """Save what a valid form holds, and tell those whom it mentions."""
    with transaction.atomic():
        post = form.save()
        news.mentioned(post)
    return post


def follow(follower: User, person: User) -> None:
    """Let one read the other, who is told; nothing happens where that is so already, or a block came between."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)  # a block waits, or is seen
        if Block.objects.between(follower, person).exists():
            return
        follow, is_new = follower.following.get_or_create(followed=person)
        if is_new:
            news.followed(follow)


def unfollow(follower: User, person: User) -> None:
    follower.following.filter(followed=person).delete()
