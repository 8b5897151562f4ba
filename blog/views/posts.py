"""Pages that show, create, edit and delete posts."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from microblog.http import AuthenticatedRequest, is_fragment_request

from .. import drafts, rate_limits
from ..forms import PostEditForm, PostForm
from ..linkify import attach_mentions
from ..models import Post
from ..models.post import PostQuerySet
from ..pagination import Page, build_page, paginate


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return _render_home(request, PostForm(initial=drafts.pop(request, reverse("post-create"))))


def _render_home(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    before = request.GET.get("before")
    if request.user.is_authenticated:
        posts = Post.objects.timeline_of(request.user, before).select_related("author")
        page = build_page(posts, before)
        attach_mentions(page.items, request.user)
    else:
        page = paginate_posts(request, Post.objects.published())
    return render(request, "blog/home.html", {"page": page, "form": form}, status=status)


def paginate_posts(request: HttpRequest, posts: PostQuerySet) -> Page[Post]:
    """Return the requested page of posts, with all that `blog/_post.html` shows."""
    page = paginate(posts.with_author(request.user), request.GET.get("before"))
    attach_mentions(page.items, request.user)
    return page


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    page = paginate_posts(request, Post.objects.suggested_to(request.user))
    return render(request, "blog/explore.html", {"page": page})


@require_POST
@drafts.login_required_with_draft("body", redirect_back=False)
def post_create(request: AuthenticatedRequest) -> HttpResponse:
    form = PostForm(request.POST, instance=Post(author=request.user))
    if not form.is_valid():
        return _render_home(request, form, status=422)
    if seconds := rate_limits.consume(request, "post"):
        form.add_error("body", rate_limits.error_message(seconds))
        return rate_limits.with_retry_after(_render_home(request, form, status=429), seconds)
    post = form.save()
    if is_fragment_request(request):
        attach_mentions([post], request.user)
        return render(request, "blog/_post.html", {"post": post}, status=201)
    messages.success(request, _("Your post is out."))
    return redirect("home")


@require_safe
def post_detail(request: HttpRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(Post.objects.visible_to(request.user).with_author(request.user), pk=pk)
    attach_mentions([post], request.user)
    return render(request, "blog/post_detail.html", {"post": post})


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("body", redirect_back=True)
def post_edit(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(request.user.posts, pk=pk)
    if request.method != "POST":
        form = PostEditForm(instance=post, initial=drafts.pop(request, request.path))
        return _render_edit_form(request, post, form)
    form = PostEditForm(request.POST, instance=post)
    if not form.is_valid():
        return _render_edit_form(request, post, form, status=422)
    # Limited like a new post, because each edit can notify mentioned users.
    if seconds := rate_limits.consume(request, "post"):
        form.add_error("body", rate_limits.error_message(seconds))
        response = _render_edit_form(request, post, form, status=429)
        return rate_limits.with_retry_after(response, seconds)
    form.save()
    messages.success(request, _("Your post is changed."))
    return redirect(post)


def _render_edit_form(
    request: HttpRequest, post: Post, form: PostEditForm, status: int = 200
) -> HttpResponse:
    return render(request, "blog/post_edit.html", {"post": post, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def post_delete(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(request.user.posts.select_related("author"), pk=pk)
    if request.method == "POST":
        post.delete()
        messages.success(request, _("Your post is deleted."))
        return redirect(request.user)
    attach_mentions([post], request.user)
    return render(request, "blog/post_delete.html", {"post": post})
