"""Writes what becomes of every endpoint and parameter of OpenAI's SDK, from the edge's own tables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeAlias, get_type_hints

from msgspec import Struct

from docs.openai_fields import Field
from docs.openai_sdk import Route, parameters, routes, version
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.ignored_fields import structs_in
from services.edge.domain.openai.not_offered import why_not_offered
from services.edge.domain.openai.paths import PATHS, endpoint_of
from services.edge.domain.openai.public_names import expectation
from services.edge.domain.openai.understood import UNDERSTOOD
from services.edge.domain.openai.why_unserved import why_ignored, why_refused
from services.edge.domain.openai.within_parameters import (
    SERVED_VALUES,
    SERVED_WITHIN,
    WHY_UNSERVED_WITHIN,
    value_unserved,
)
from services.edge.domain.timeline import Endpoint
from services.edge.process import HttpSide
from services.edge.server.resource import Resource
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock

Types: TypeAlias = tuple[type[Struct], ...]

_VERSION: Final = "/v1"
_SERVED: Final = "served"
# As many are sooner said again than looked up.
_FEW_ROWS: Final = 3
_NAME: Final = re.compile(r"\{[^}]*\}")


class MissingRowError(Exception):
    """The SDK knows something that none of the edge's tables says anything of."""


def openai_sdk() -> Iterator[str]:
    """Yields the tables of endpoints, and one of parameters for each endpoint that is served."""
    known, served = routes(), resources()
    yield from ("", f"Version {version()} of the Python SDK knows these.", "", "| Served | What it does |")
    yield "|---|---|"
    for route in sorted(known):
        if resource := served.get(_key(route.verb, route.path)):
            yield f"| `{route.verb} {_VERSION}{route.path}` | {resource.operation.summary} |"
    yield from _not_offered(known, served)
    told: dict[tuple[str, ...], str] = {}
    for route in sorted(known):
        resource = served.get(_key(route.verb, route.path))
        if resource is not None and resource.operation.body is not None:
            yield from ("", f"### Parameters of `{route.verb} {_VERSION}{route.path}`", "")
            endpoint = endpoint_of(resource.path)
            yield from _parameters(resource.operation.body, endpoint, parameters(route), told)
    yield ""


def resources() -> Mapping[tuple[str, str], Resource]:
    """Returns what the edge serves, by method and path without the names in it."""
    # Nobody asks it anything.
    nobody: Any = None
    edge = HttpSide(
        EdgeLimits(), HttpListen(port=0), SystemClock(), router=nobody, generators=nobody, usage=nobody
    )
    return {
        _key(resource.method, resource.path.removeprefix(_VERSION)): resource for resource in edge.resources
    }


def _key(verb: str, path: str) -> tuple[str, str]:
    return verb, _NAME.sub("{}", path)


def _not_offered(known: frozenset[Route], served: Mapping[tuple[str, str], Resource]) -> Iterator[str]:
    refused = [route for route in sorted(known) if _key(route.verb, route.path) not in served]
    summary = f"The {len(refused)} that are not offered, and why"
    yield from ("", f"<details><summary>{summary}</summary>", "", "| Not offered | Because |", "|---|---|")
    for path, found in groupby(refused, lambda route: route.path):
        if (why := why_not_offered(_VERSION + path)) is None:
            raise MissingRowError(f"services/edge/domain/openai/not_offered.py says nothing of {path}")
        yield f"| `{', '.join(route.verb for route in found)} {_VERSION}{path}` | {why} |"
    yield from ("", "</details>")


def _parameters(
    body: type[Struct], endpoint: Endpoint, fields: Iterable[Field], told: dict[tuple[str, ...], str]
) -> Iterator[str]:
    """Yields a table; what is within a parameter as in an earlier one of `told` is not said again."""
    yield "| Parameter | Here | |"
    yield "|---|---|---|"
    for field in fields:
        row, *within = _rows(field, (body,), endpoint)
        yield row
        where = told.setdefault(tuple(within), PATHS[endpoint])
        if where == PATHS[endpoint] or len(within) <= _FEW_ROWS:
            yield from within
        else:
            heading = f"POST {where}".lower().replace(" ", "-").replace("/", "")
            yield f"| within `{field.path}` | as for [{where}](#parameters-of-{heading}) | |"


def _rows(field: Field, types: Types, endpoint: Endpoint) -> Iterator[str]:
    """Yields the row of a field, of its values that are not served, and of the fields within it."""
    said = fate(types, endpoint, field.path)
    yield f"| `{field.path}` | {said} |"
    if not said.startswith(_SERVED):
        return
    yield from _value_rows(field, types, endpoint)
    within = tuple(inner for each in types for inner in structs_in(get_type_hints(each).get(field.name)))
    for below in field.below(partial(_is_taken, within, endpoint)):
        yield from _rows(below, within, endpoint)


def _value_rows(field: Field, types: Types, endpoint: Endpoint) -> Iterator[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for place, value in sorted(field.values()):
        if said := value_fate(types, endpoint, place, value):
            found.setdefault((place, said), []).append(f"`{value}`")
    for (place, said), values in found.items():
        yield f"| `{place}`: {', '.join(values)} | {said} |"


def _is_taken(types: Types, endpoint: Endpoint, path: str, value: str) -> bool:
    return value_fate(types, endpoint, path, value) is None


def value_fate(types: Types, endpoint: Endpoint, place: str, value: str) -> str | None:
    """Returns what becomes of a value and why; None for one that is served.

    MissingRowError for one that nobody says anything of.
    """
    if said := value_unserved(place, value, endpoint):
        return " | ".join(said)
    if value not in (SERVED_VALUES.get(place) or _literals(types, place)):
        raise MissingRowError(f"within_parameters.py does not say what becomes of {value} as {place}")
    return None


def _literals(types: Types, place: str) -> frozenset[str]:
    name = place.removesuffix("[]").rpartition(".")[2]
    hints = tuple(hint for each in types if (hint := get_type_hints(each).get(name)) is not None)
    return frozenset(value for _, value in Field(place, hints).values())


def fate(types: Types, endpoint: Endpoint, path: str) -> str:
    """Returns what becomes of a field and why; MissingRowError for one that nobody says anything of.

    `types` are those of the object that has it: the body, or what stands within it.
    """
    name = path.rpartition(".")[2]
    is_within = name != path
    if path in SERVED_WITHIN or any(name in each.__struct_encode_fields__ for each in types):
        return f"{_SERVED} | {SERVED_WITHIN.get(path) or expectation(path, endpoint)}"
    rules = (UNDERSTOOD.get(each, {}).get(name) for each in types)
    if rule := next(filter(None, rules), None):
        answer, why = f"refused, unless {rule.words}", why_refused(name)
    else:
        answer, why = "ignored", why_ignored(name)
    if is_within:
        why = WHY_UNSERVED_WITHIN.get(path)
    if why is None:
        raise MissingRowError(f"{endpoint.name}: nothing says why {path} is {answer}")
    return f"{answer} | {why}"
