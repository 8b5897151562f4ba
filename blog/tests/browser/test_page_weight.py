"""Bytes and hosts of a first visit, compressed as in production."""

import gzip
from urllib.parse import urlsplit

import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.browser

MAX_BYTES = 100_000


class Traffic:
    """Sizes and hosts of the requests that a page makes."""

    def __init__(self, page):
        self.sizes: dict[str, int] = {}
        self.hosts: set[str] = set()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("response", self.record)

    def record(self, response):
        """Compress files, which the test server, unlike production, sends uncompressed."""
        body = response.body()
        is_file = urlsplit(response.url).path.startswith("/static/")
        self.sizes[response.url] = len(gzip.compress(body) if is_file else body)

    @property
    def total(self):
        return sum(self.sizes.values())


@pytest.fixture
def posts(make_user):
    """Create posts for a full first page, by ten authors."""
    for number in range(10):
        baker.make(
            Post,
            author=make_user(f"writer{number}"),
            body="A morning by the river. " * 8,
            _quantity=2,
        )


def first_visit(page, address):
    """Load the page with an empty browser cache."""
    fresh = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    traffic = Traffic(fresh)
    fresh.goto(address, wait_until="networkidle")
    assert any(url.endswith("base.css") for url in traffic.sizes)
    return traffic


def test_home_is_small_and_loads_own_files(page, live_server, posts):
    traffic = first_visit(page, live_server.url)
    assert traffic.hosts == {urlsplit(live_server.url).netloc}
    assert traffic.total < MAX_BYTES


def test_home_is_small_when_signed_in(page, site, posts, alice):
    for author in {post.author for post in Post.objects.all()}:
        alice.following.create(followed=author)
    traffic = first_visit(page, f"{site}/")
    assert traffic.hosts == {urlsplit(site).netloc}
    assert traffic.total < MAX_BYTES
