from django.http import HttpRequest
from django.urls import include, path


def fail(request: HttpRequest) -> None:
    raise RuntimeError("a stone in the works")


urlpatterns = [path("fail/", fail), path("", include("microblog.urls"))]
