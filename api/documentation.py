"""The page that says in the site's own style what the OpenAPI document says."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from blog.rate_limits import RATES

from .problems import PROBLEMS
from .v1 import api

JSON = "application/json"


@dataclass(frozen=True)
class Row:
    """A parameter or field: `shape` names the shape that its `kind` leads to."""

    name: str
    kind: str
    shape: str
    words: str
    is_required: bool


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    summary: str
    parameters: list[Row]
    fields: list[Row]
    answers: list[tuple[int, str, str]]
    """Status, what it means, and the name of the shape of its body, if it has one."""
    problems: list[int]


@dataclass
class Chapter:
    title: str
    calls: list[Call] = field(default_factory=list)


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    schema = api.get_openapi_schema()
    shapes = schema["components"]["schemas"]
    context = {
        "chapters": _chapters(schema["paths"], shapes),
        "shapes": {name: _rows(shape) for name, shape in shapes.items() if not name.endswith("In")},
        "enumerations": {name: shape["enum"] for name, shape in shapes.items() if "enum" in shape},
        "problems": {
            status: words
            for status, words in PROBLEMS.items()
            if status != HTTPStatus.INTERNAL_SERVER_ERROR
        },
        "rate": RATES["api"],
        "minutes": RATES["api"].seconds // 60,
        "site_url": settings.SITE_URL,
    }
    return render(request, "api/documentation.html", context)


def _chapters(paths: dict[str, Any], shapes: dict[str, Any]) -> list[Chapter]:
    chapters: dict[str, Chapter] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            (tag,) = operation["tags"]
            call = _call(method.upper(), path, operation, shapes)
            chapters.setdefault(tag, Chapter(_(tag))).calls.append(call)
    return list(chapters.values())


def _call(method: str, path: str, operation: dict[str, Any], shapes: dict[str, Any]) -> Call:
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
    asked = [one for one in operation["parameters"] if one["in"] == "query"]
    answers = operation["responses"].items()
    return Call(
        method,
        path,
        operation["summary"],
        parameters=[_row(one["name"], one["schema"], one["required"]) for one in asked],
        fields=_rows(shapes[_name(body)]) if body else [],
        answers=[
            (int(status), answer["description"], _shape(answer))
            for status, answer in answers
            if status < 400
        ],
        problems=[int(status) for status, _answer in answers if status >= 400],
    )


def _shape(answer: dict[str, Any]) -> str:
    return _name(answer.get("content", {}).get(JSON, {}).get("schema", {}))


def _rows(shape: dict[str, Any]) -> list[Row]:
    """The fields of an object; none of an enumeration."""
    required = shape.get("required", [])
    return [
        _row(name, part, name in required) for name, part in shape.get("properties", {}).items()
    ]


def _row(name: str, schema: dict[str, Any], is_required: bool) -> Row:
    kind, shape = _kind(schema)
    return Row(name, kind, shape, schema.get("description", ""), is_required)


def _kind(schema: dict[str, Any]) -> tuple[str, str]:
    """In words, and the name of the shape where it is one."""
    if "anyOf" in schema:
        kind, shape = _kind(schema["anyOf"][0])
        return _("%(kind)s or null") % {"kind": kind}, shape
    if schema.get("type") == "array":
        kind, shape = _kind(schema["items"])
        return _("list of %(kind)s") % {"kind": kind}, shape
    if values := schema.get("enum"):
        return " | ".join(values), ""
    if name := _name(schema):
        return name, name
    return schema.get("format") or schema.get("type", ""), ""


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
