import pytest
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix

from blog.paths import path_to


def test_path_equals_reverse():
    for _ in range(2):
        assert path_to("profile", "ada") == reverse("profile", args=["ada"]) == "/@ada/"
        assert path_to("profile", "bob") == "/@bob/"
        assert path_to("post-detail", 7) == "/posts/7/"


def test_path_follows_script_prefix():
    before, prefix = path_to("profile", "ada"), get_script_prefix()
    set_script_prefix("/below/")
    try:
        assert path_to("profile", "ada") == f"/below{before}"
    finally:
        set_script_prefix(prefix)
    assert path_to("profile", "ada") == before


def test_unknown_path_raises_no_reverse_match():
    with pytest.raises(NoReverseMatch):
        path_to("profile", "not a name")
