"""The API, version 1, and the document that describes it."""

from typing import Any, TypeVar

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from .auth import Token
from .problems import CONTENT_TYPE, Refusal, mistyped, refused
from .views import exports, following, posts, profile

Node = TypeVar("Node")

WORDS = ("summary", "description")


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **where: Any) -> OpenAPISchema:
        """The OpenAPI document, in the language of the request."""
        schema = super().get_openapi_schema(**where)
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if status >= 400:
                        answer["content"] = {CONTENT_TYPE: answer["content"]["application/json"]}
        return _translated(schema)


def _translated(node: Node) -> Node:
    """The document, or a part of it, with its words in the active language."""
    if isinstance(node, dict):
        for key, value in node.items():
            node[key] = gettext(value) if key in WORDS and value and isinstance(value, str) else _translated(value)
    elif isinstance(node, list):
        node[:] = [_translated(part) for part in node]
    return node


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
