"""Reading and writing posts."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .. import drafts
from .. import linkify as mentions
from .. import rate_limits as limits
from ..forms import PostEditForm, PostForm
from ..http import PersonRequest, wants_fragment
from ..models import Post
from ..models.post import PostQuerySet
from ..pagination import Page, first_page, paginate


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What oneself and the followed have written; to a visitor, what everyone has."""
    return _home(request, PostForm(initial=drafts.take(request, reverse("post-create"))))


def _home(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    before = request.GET.get("before")
    if request.user.is_authenticated:
        posts = Post.objects.timeline_of(request.user, before).select_related("author")
        page = first_page(posts, before)
        mentions.attach(page.items, request.user)
    else:
        page = page_of(request, Post.objects.published())
    return render(request, "blog/home.html", {"page": page, "form": form}, status=status)


def page_of(request: HttpRequest, posts: PostQuerySet) -> Page[Post]:
    """The page of posts that is asked for, with what `blog/_post.html` shows of them."""
    page = paginate(posts.with_author(request.user), request.GET.get("before"))
    mentions.attach(page.items, request.user)
    return page


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """What everyone has written."""
    page = page_of(request, Post.objects.suggested_to(request.user))
    return render(request, "blog/explore.html", {"page": page})


@require_POST
@drafts.keeps_draft("body", leads_back=False)
def post_create(request: PersonRequest) -> HttpResponse:
    form = PostForm(request.POST, instance=Post(author=request.user))
    if not form.is_valid():
        return _home(request, form, status=422)
    if seconds := limits.wait(request, "post"):
        form.add_error("body", limits.message(seconds))
        return limits.with_retry(_home(request, form, status=429), seconds)
    post = form.save()
    if wants_fragment(request):
        mentions.attach([post], request.user)
        return render(request, "blog/_post.html", {"post": post}, status=201)
    messages.success(request, _("Your post is out."))
    return redirect("home")


@require_safe
def post_detail(request: HttpRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(Post.objects.visible_to(request.user).with_author(request.user), pk=pk)
    mentions.attach([post], request.user)
    return render(request, "blog/post_detail.html", {"post": post})


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.keeps_draft("body", leads_back=True)
def post_edit(request: PersonRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(request.user.posts, pk=pk)
    if request.method != "POST":
        return _edit(
            request, post, PostEditForm(instance=post, initial=drafts.take(request, request.path))
        )
    form = PostEditForm(request.POST, instance=post)
    if not form.is_valid():
        return _edit(request, post, form, status=422)
    if seconds := limits.wait(request, "post"):  # each change can call other people
        form.add_error("body", limits.message(seconds))
        return limits.with_retry(_edit(request, post, form, status=429), seconds)
    form.save()
    messages.success(request, _("Your post is changed."))
    return redirect(post)


def _edit(request: HttpRequest, post: Post, form: PostEditForm, status: int = 200) -> HttpResponse:
    return render(request, "blog/post_edit.html", {"post": post, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def post_delete(request: PersonRequest, pk: int) -> HttpResponse:
    """Asks once; the answer is a POST."""
    post = get_object_or_404(request.user.posts.select_related("author"), pk=pk)
    if request.method == "POST":
        post.delete()
        messages.success(request, _("Your post is deleted."))
        return redirect(request.user)
    mentions.attach([post], request.user)
    return render(request, "blog/post_delete.html", {"post": post})
