from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_noop as _
from ninja import Router
from ninja.responses import Status

from api.auth import enforce_rate_limit
from api.problems import require_valid
from api.schemas import Before, PostIn, PostOut, PostPage, absolute_url, problem_responses
from blog.forms import PostEditForm, PostForm
from blog.models import Post
from blog.pagination import build_page, paginate
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Posts")])


@router.get(
    "/posts/",
    summary=_("Your posts, newest first"),
    response={200: PostPage, **problem_responses(404)},
)
def post_list(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = request.user.posts.visible_to(request.user).select_related("author")
    return PostPage.from_page(request, paginate(posts, before))


@router.post(
    "/posts/",
    summary=_("Write a post"),
    response={201: PostOut, **problem_responses(400, 403, 422)},
)
def post_create(
    request: AuthenticatedRequest, data: PostIn, response: HttpResponse
) -> Status[PostOut]:
    form = PostForm(data.dict(), instance=Post(author=request.user))
    require_valid(form)
    enforce_rate_limit(request, "post")
    post = form.save()
    response["Location"] = absolute_url(reverse("api-1:post_detail", args=[post.pk]))
    return Status(201, PostOut.from_post(post))


@router.get(
    "/posts/{int:pk}/", summary=_("One post"), response={200: PostOut, **problem_responses(404)}
)
def post_detail(request: AuthenticatedRequest, pk: int) -> PostOut:
    posts = Post.objects.visible_to(request.user).select_related("author")
    return PostOut.from_post(get_object_or_404(posts, pk=pk))


@router.patch(
    "/posts/{int:pk}/",
    summary=_("Change a post of yours"),
    response={200: PostOut, **problem_responses(400, 403, 404, 422)},
)
def post_edit(request: AuthenticatedRequest, pk: int, data: PostIn) -> PostOut:
    post = get_object_or_404(request.user.posts.select_related("author"), pk=pk)
    form = PostEditForm(data.dict(), instance=post)
    require_valid(form)
    enforce_rate_limit(request, "post")  # each edit may mention and notify other users
    return PostOut.from_post(form.save())


@router.delete(
    "/posts/{int:pk}/",
    summary=_("Delete a post of yours"),
    response={204: None, **problem_responses(403, 404)},
)
def post_delete(request: AuthenticatedRequest, pk: int) -> Status[None]:
    get_object_or_404(request.user.posts, pk=pk).delete()
    return Status(204, None)


@router.get(
    "/timeline/",
    summary=_("What you and those whom you follow have written, newest first"),
    response={200: PostPage, **problem_responses(404)},
)
def timeline(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = Post.objects.timeline_of(request.user, before).select_related("author")
    return PostPage.from_page(request, build_page(posts, before))


@router.get(
    "/explore/",
    summary=_("What everyone has written, newest first"),
    response={200: PostPage, **problem_responses(404)},
)
def explore(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = Post.objects.suggested_to(request.user).select_related("author")
    return PostPage.from_page(request, paginate(posts, before))
