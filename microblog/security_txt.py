"""/.well-known/security.txt: where to report a vulnerability (RFC 9116)."""

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

VALIDITY = timedelta(days=90)


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    contact = settings.SECURITY_CONTACT
    if not contact:
        raise Http404
    lines = [
        f"Contact: {f'mailto:{contact}' if '@' in contact and ':' not in contact else contact}",
        f"Expires: {(timezone.now() + VALIDITY).strftime('%Y-%m-%dT00:00:00Z')}",
        f"Canonical: {settings.SITE_URL}/.well-known/security.txt",
        f"Preferred-Languages: {', '.join(code for code, _name in settings.LANGUAGES)}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
