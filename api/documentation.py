"""The page that says in the site's own style what the OpenAPI document says."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    return render(request, "api/documentation.html", {})
