"""The description of the API in OpenAPI 3.1, from the types and tables that requests are read with."""

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from services.edge.domain.openai.answer_types import ErrorAnswer
from services.edge.domain.openai.errors import HTTP_ERRORS, PUBLIC_ERRORS
from services.edge.domain.openai.ignored_fields import IGNORED_FIELDS_HEADER
from services.edge.domain.openai.operation import Operation
from services.edge.domain.openai.parameters import IGNORED, Neutral
from services.edge.domain.openai.priority import PRIORITY_CLASSES, PRIORITY_HEADER
from services.edge.domain.openai.understood import REQUIRED, UNDERSTOOD

# A JSON value of any shape: the document is written for others' tools.
Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_PATH_PARAMETER: Final = re.compile(r"\{(\w+):path\}")
_TOO_MANY_REQUESTS: Final = 429
_UNAVAILABLE: Final = 503
_RATE_LIMITS: Final = [
    f"x-ratelimit-{part}-{kind}"
    for part in ("limit", "remaining", "reset")
    for kind in ("requests", "tokens")
]
_RETRY: Final = ("retry-after", "retry-after-ms", "x-should-retry")
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "x-request-id": "32 hexadecimal digits, or the UUID that the request brought",
        IGNORED_FIELDS_HEADER.decode(): "how many fields of the body had no effect; absent for none",
        "retry-after": "seconds until the same request may succeed",
        "retry-after-ms": "the same in milliseconds",
        "x-should-retry": "whether the client should try again",
        "deprecation": "since when the name of the model that was asked for is retired (RFC 9745)",
        "sunset": "when that name ends (RFC 8594)",
        "link": "the model that answers in its place",
        **dict.fromkeys(_RATE_LIMITS, "the key's quota; absent where there is no limit"),
    }
)
_ABOUT: Final = (
    "EU-resident LLM inference that counts tokens and keeps no text. What clients written for OpenAI's API "
    "send is served, refused by name, or ignored and counted. A null is as good as absent, for every field."
)


def openapi_json(operations: Iterable[tuple[str, str, Operation]], *, version: str) -> bytes:
    """Returns the document that describes operations by method and path."""
    operations = list(operations)
    paths: dict[str, Json] = {}
    for method, path, operation in operations:
        paths.setdefault(_PATH_PARAMETER.sub(r"{\1}", path), {})[method.lower()] = _described(operation, path)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Comptoir", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(operation for _, _, operation in operations),
            "responses": {f"Error{status}": _error(status) for status in sorted(_codes())},
            "headers": {name: _header(words) for name, words in _HEADERS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _described(operation: Operation, path: str) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{"key": []}] if operation.needs_key else [],
        "responses": {
            "200": _answer(operation),
            **{
                str(status): {"$ref": f"#/components/responses/Error{status}"}
                for status in operation.statuses
            },
            **{
                str(status): {"description": operation.summary, "content": _json_content(type_)}
                for status, type_ in operation.others
            },
            "default": {"description": "an error", "content": _json_content(ErrorAnswer)},
        },
    }
    if parameters := [*_path_parameters(path), *_header_parameters(operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json_content(operation.body)}
    return described


def _path_parameters(path: str) -> list[Json]:
    names = _PATH_PARAMETER.findall(path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _header_parameters(operation: Operation) -> list[Json]:
    if operation.body is None or "service_tier" not in operation.body.__struct_fields__:
        return []
    words = "the scheduling class; it prevails over `service_tier`"
    schema = {"type": "string", "enum": list(PRIORITY_CLASSES)}
    return [{"name": PRIORITY_HEADER, "in": "header", "description": words, "schema": schema}]


def _answer(operation: Operation) -> Json:
    content: Json = {operation.media_type: {}}
    if operation.answer is not None:
        content = _json_content(operation.answer)
    if operation.event is not None:
        content["text/event-stream"] = {"schema": _event(operation.event, has_done=operation.has_done)}
    headers = ["x-request-id"]
    if operation.needs_key:
        headers += ["deprecation", "sunset", "link"]
    if operation.body is not None:
        headers += [*_RATE_LIMITS, IGNORED_FIELDS_HEADER.decode()]
    return {"description": operation.summary, "headers": _header_refs(headers), "content": content}


def _event(type_: type[Struct], *, has_done: bool) -> Json:
    # OpenAPI 3.1 has no word for the parts of a stream. Tools that read one take the schema for an event's.
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": _REF.format(name=type_.__name__)},
    }
    return {
        "description": "each event of the stream" + ("; the last is [DONE]" if has_done else ""),
        "type": "object",
        "properties": {"data": {"anyOf": [data, {"const": "[DONE]"}]} if has_done else data},
        "required": ["data"],
    }


def _error(status: int) -> Json:
    headers = ["x-request-id"]
    if status in (_TOO_MANY_REQUESTS, _UNAVAILABLE):
        headers += _RETRY
    if status == _TOO_MANY_REQUESTS:
        headers += _RATE_LIMITS
    return {
        "description": ", ".join(sorted(_codes()[status])),
        "headers": _header_refs(headers),
        "content": _json_content(ErrorAnswer),
    }


def _codes() -> dict[int, set[str]]:
    codes: dict[int, set[str]] = {}
    for public in (*PUBLIC_ERRORS.values(), *HTTP_ERRORS):
        codes.setdefault(public.status, set()).add(public.code)
    return codes


def _schemas(operations: Iterable[Operation]) -> Json:
    bodies: list[type[Struct]] = []
    answers: list[type[Struct]] = [ErrorAnswer]
    for operation in operations:
        bodies += [operation.body] if operation.body is not None else []
        answers += [each for each in (operation.answer, operation.event) if each is not None]
    types = [*dict.fromkeys(bodies), *dict.fromkeys(answers)]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    for body in bodies:
        _add(schemas[body.__name__], {name: {"description": "has no effect"} for name in sorted(IGNORED)})
    for type_, neutral in UNDERSTOOD.items():
        if schema := schemas.get(type_.__name__):
            _add(schema, {name: _neutral(rule) for name, rule in neutral.items()})
    for type_, required in REQUIRED.items():
        if schema := schemas.get(type_.__name__):
            _require(schema, required)
    return schemas


def _add(schema: Json, properties: Json) -> None:
    schema["properties"] = properties | schema["properties"]


def _require(schema: Json, names: Iterable[str]) -> None:
    schema["required"] = list(names)
    for name in names:
        schema["properties"][name] = _without_null(schema["properties"][name])


def _neutral(rule: Neutral) -> Json:
    return {"description": f"not served: {rule.words}", "enum": [None, *rule.values]}


def _without_null(schema: Json) -> Json:
    kept = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def _json_content(type_: type[Struct]) -> Json:
    return {"application/json": {"schema": {"$ref": _REF.format(name=type_.__name__)}}}


def _header(words: str) -> Json:
    return {"description": words, "schema": {"type": "string"}}


def _header_refs(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
