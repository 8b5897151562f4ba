"""Reports of posts and users to staff."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from microblog.http import AuthenticatedRequest

from .. import drafts, rate_limits
from ..forms import ReportForm
from ..models import Post, Report, User, unblocked


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("reason", "comment", redirect_back=True)
def user_report(request: AuthenticatedRequest, username: str) -> HttpResponse:
    # Users may report someone whom they have blocked: many block first.
    is_reportable = unblocked(request.user, "pk") | Q(pk__in=request.user.blocks.values("blocked"))
    others = User.objects.filter(is_reportable, is_active=True).exclude(pk=request.user.pk)
    person = get_object_or_404(others, username__lower=username.lower())
    return _report_create(request, person, post=None)


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("reason", "comment", redirect_back=True)
def post_report(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    posts = Post.objects.visible_to(request.user).exclude(author=request.user)
    post = get_object_or_404(posts.with_author(request.user), pk=pk)
    return _report_create(request, post.author, post)


def _report_create(request: AuthenticatedRequest, person: User, post: Post | None) -> HttpResponse:
    if request.method != "POST":
        form = ReportForm(initial=drafts.pop(request, request.path))
        return _render_form(request, form, person, post)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _render_form(request, form, person, post, status=422)
    if seconds := rate_limits.consume(request, "report"):
        form.add_error(None, rate_limits.error_message(seconds))
        response = _render_form(request, form, person, post, status=429)
        return rate_limits.with_retry_after(response, seconds)
    report, is_new = Report.objects.get_or_create_open(
        request.user, person, post, **form.cleaned_data
    )
    if not is_new:
        messages.info(request, _("You have reported this already."))
    return redirect(report)


def _render_form(
    request: AuthenticatedRequest,
    form: ReportForm,
    person: User,
    post: Post | None,
    status: int = 200,
) -> HttpResponse:
    context = {"form": form, "person": person, "post": post}
    return render(request, "blog/report_create.html", context, status=status)


@require_safe
@login_required
def report_detail(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    report = get_object_or_404(request.user.reports, pk=pk)
    person = User.objects.with_profile(request.user).filter(pk=report.person_id).first()
    return render(request, "blog/report_detail.html", {"report": report, "person": person})
