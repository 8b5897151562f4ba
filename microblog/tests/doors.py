"""Every URL of the site, and what each role is answered that asks for it by GET."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver

ROLES = ("visitor", "stranger", "owner", "support", "operator", "moderator", "superuser")

DOORS = {}


def routes(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Each route that leads to a view, as the resolver spells it."""
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route, pattern
