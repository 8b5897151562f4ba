"""API version 1 and its OpenAPI document."""

from functools import cached_property
from typing import Any

from django.http import UnreadablePostError
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.operation import Operation

from blog.pagination import InvalidCursor

from .auth import Token
from .problems import (
    CONTENT_TYPE,
    PHRASES,
    ApiError,
    handle_api_error,
    handle_invalid_cursor,
    handle_unreadable_body,
    handle_validation_error,
)
from .views import (
    exports,
    following,
    imports,
    notifications,
    people,
    posts,
    profile,
    search,
)

TRANSLATED_KEYS = ("summary", "description")


class MicroblogAPI(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    # Ninja returns a subclass of dict, which nothing needs.
    def get_openapi_schema(self, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the OpenAPI document in the active language."""
        return {key: _translate(value) for key, value in self._untranslated_schema.items()}

    @cached_property
    def _untranslated_schema(self) -> dict[str, Any]:
        schema = super().get_openapi_schema()
        for operations in schema["paths"].values():
            operations.pop("head", None)  # as for GET, without the body
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if status >= 400:
                        response["description"] = PHRASES[status]
                        response["content"] = {
                            CONTENT_TYPE: response["content"]["application/json"]
                        }
        return schema


def _translate(node: Any, is_text: bool = False) -> Any:
    """Copy a node of the document with its texts in the active language."""
    if isinstance(node, dict):
        return {
            key: _translate(value, is_text=key in TRANSLATED_KEYS) for key, value in node.items()
        }
    if isinstance(node, list):
        return [_translate(item) for item in node]
    return gettext(node) if is_text and node else node


api = MicroblogAPI(
    title="Microblog",
    version="1",
    description=_(
        "Use the site from your own programs: profile, posts, people, search, "
        "notifications, exports and imports."
    ),
    docs_url=None,
    docs_decorator=require_safe,
    auth=Token(),
)
api.exception_handler(ApiError)(handle_api_error)
api.exception_handler(ValidationError)(handle_validation_error)
api.exception_handler(UnreadablePostError)(handle_unreadable_body)
api.exception_handler(InvalidCursor)(handle_invalid_cursor)
for module in (profile, posts, people, following, search, notifications, exports, imports):
    api.add_router("", module.router)
