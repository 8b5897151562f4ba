"""API version 1 and its OpenAPI document."""

from functools import cached_property
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.operation import Operation

from .auth import Token
from .problems import (
    CONTENT_TYPE,
    PHRASES,
    ApiError,
    handle_api_error,
    handle_validation_error,
)
from .views import exports, following, imports, posts, profile

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
        "Your profile, posts, timeline, following, exports and imports, for your own programs."
    ),
    docs_url=None,
    docs_decorator=require_safe,
    auth=Token(),
)
api.exception_handler(ApiError)(handle_api_error)
api.exception_handler(ValidationError)(handle_validation_error)
for module in (profile, posts, following, exports, imports):
    api.add_router("", module.router)
