"""What the first look at the site costs: bytes, as they travel in production, and hosts that are asked."""

import gzip
from urllib.parse import urlsplit

import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.browser

LIMIT = 100_000


class Traffic:
    """What a page asks for from now on."""

    def __init__(self, page):
        self.sizes: dict[str, int] = {}
        self.hosts: set[str] = set()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("response", self.weigh)

    def weigh(self, response):
        """`collectstatic` compresses files, which the tests' server sends as they lie; pages and avatars travel so."""
        body = response.body()
        is_file = urlsplit(response.url).path.startswith("/static/")
        self.sizes[response.url] = len(gzip.compress(body) if is_file else body)

    @property
    def total(self):
        return sum(self.sizes.values())


@pytest.fixture
def posts(make_user):
    """A full first page, by ten people."""
    for number in range(10):
        baker.make(
            Post,
            author=make_user(f"writer{number}"),
            body="A morning by the river. " * 8,
            _quantity=2,
        )


def first_look(page, address):
    """Without anything in the cache."""
    fresh = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    traffic = Traffic(fresh)
    fresh.goto(address, wait_until="networkidle")
    assert any(url.endswith("microblog.css") for url in traffic.sizes)
    return traffic


def test_home_is_light_and_asks_no_other_host(page, live_server, posts):
    traffic = first_look(page, live_server.url)
    assert traffic.hosts == {urlsplit(live_server.url).netloc}
    assert traffic.total < LIMIT


def test_home_is_light_for_who_is_signed_in(page, site, posts, alice):
    for author in {post.author for post in Post.objects.all()}:
        alice.following.create(followed=author)
    traffic = first_look(page, f"{site}/")
    assert traffic.hosts == {urlsplit(site).netloc}
    assert traffic.total < LIMIT
