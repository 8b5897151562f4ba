"""The API, version 1, and the document that describes it."""

from functools import cached_property
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.operation import Operation

from .auth import Token
from .problems import CONTENT_TYPE, Refusal, mistyped, refused
from .views import exports, following, posts, profile

WORDS = ("summary", "description")


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **where: Any) -> dict[str, Any]:  # type: ignore[override]  # all it needs to be
        """The OpenAPI document, in the language of the request."""
        return {key: _translated(value) for key, value in self._document.items()}

    @cached_property
    def _document(self) -> dict[str, Any]:
        schema = super().get_openapi_schema()
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if status >= 400:
                        answer["content"] = {CONTENT_TYPE: answer["content"]["application/json"]}
        return schema


def _translated(node: Any, is_words: bool = False) -> Any:
    """A copy of the document, or of a part of it, with its words in the active language."""
    if isinstance(node, dict):
        return {key: _translated(value, is_words=key in WORDS) for key, value in node.items()}
    if isinstance(node, list):
        return [_translated(part) for part in node]
    return gettext(node) if is_words and node else node


api = Api(
    title="Microblog",
    version="1",
    description=_("Your profile, posts, timeline, following and exports, for your own programs."),
    docs_url=None,
    docs_decorator=require_safe,
    auth=Token(),
)
api.exception_handler(Refusal)(refused)
api.exception_handler(ValidationError)(mistyped)
for part in (profile, posts, following, exports):
    api.add_router("", part.router)
