from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_noop as _
from ninja import Router
from ninja.responses import Status

from api.auth import count
from api.problems import check
from api.schemas import Before, PostIn, PostOut, PostPage, problems, site
from blog import deeds
from blog.forms import PostEditForm, PostForm
from blog.http import AuthenticatedRequest
from blog.models import Post
from blog.pagination import build_page, paginate

router = Router(tags=[_("Posts")])


@router.get(
    "/posts/", summary=_("Your posts, newest first"), response={200: PostPage, **problems(404)}
)
def post_list(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = request.user.posts.visible_to(request.user).select_related("author")
    return PostPage.of(request, paginate(posts, before))


@router.post(
    "/posts/", summary=_("Write a post"), response={201: PostOut, **problems(400, 403, 422)}
)
def post_create(request: AuthenticatedRequest, data: PostIn, response: HttpResponse) -> Status[PostOut]:
    form = PostForm(data.dict(), instance=Post(author=request.user))
    check(form)
    count(request, "post")
    post = deeds.publish(form)
    response["Location"] = site(reverse("api-1:post_detail", args=[post.pk]))
    return Status(201, PostOut.of(post))


@router.get("/posts/{int:pk}/", summary=_("One post"), response={200: PostOut, **problems(404)})
def post_detail(request: AuthenticatedRequest, pk: int) -> PostOut:
    posts = Post.objects.visible_to(request.user).select_related("author")
    return PostOut.of(get_object_or_404(posts, pk=pk))


@router.patch(
    "/posts/{int:pk}/",
    summary=_("Change a post of yours"),
    response={200: PostOut, **problems(400, 403, 404, 422)},
)
def post_edit(request: AuthenticatedRequest, pk: int, data: PostIn) -> PostOut:
    post = get_object_or_404(request.user.posts.select_related("author"), pk=pk)
    form = PostEditForm(data.dict(), instance=post)
    check(form)
    count(request, "post")  # each change can call other people
    return PostOut.of(deeds.publish(form))


@router.delete(
    "/posts/{int:pk}/",
    summary=_("Delete a post of yours"),
    response={204: None, **problems(403, 404)},
)
def post_delete(request: AuthenticatedRequest, pk: int) -> Status[None]:
    get_object_or_404(request.user.posts, pk=pk).delete()
    return Status(204, None)


@router.get(
    "/timeline/",
    summary=_("What you and those whom you follow have written, newest first"),
    response={200: PostPage, **problems(404)},
)
def timeline(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = Post.objects.followed_by(request.user, before).select_related("author")
    return PostPage.of(request, build_page(posts, before))


@router.get(
    "/explore/",
    summary=_("What everyone has written, newest first"),
    response={200: PostPage, **problems(404)},
)
def explore(request: AuthenticatedRequest, before: Before = None) -> PostPage:
    posts = Post.objects.offered_to(request.user).select_related("author")
    return PostPage.of(request, paginate(posts, before))
