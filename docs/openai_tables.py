"""Writes what becomes of every endpoint and parameter of OpenAI's SDK, from the edge's own tables."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

from docs.openai_sdk import Route, parameters, routes, version
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.not_offered import why_not_offered
from services.edge.domain.openai.paths import endpoint_of
from services.edge.domain.openai.public_names import expectation
from services.edge.domain.openai.understood import UNDERSTOOD
from services.edge.domain.openai.why_unserved import why_ignored, why_refused
from services.edge.domain.timeline import Endpoint
from services.edge.process import HttpSide
from services.edge.server.resource import Resource
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock

_VERSION: Final = "/v1"
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
    for route in sorted(known):
        resource = served.get(_key(route.verb, route.path))
        if resource is not None and resource.operation.body is not None:
            yield from ("", f"### Parameters of `{route.verb} {_VERSION}{route.path}`", "")
            yield from _parameters(resource.operation.body, endpoint_of(resource.path), parameters(route))
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


def _parameters(body: type[Struct], endpoint: Endpoint, names: frozenset[str]) -> Iterator[str]:
    yield "| Parameter | Here | |"
    yield "|---|---|---|"
    for name in sorted(names):
        yield f"| `{name}` | {fate(body, endpoint, name)} |"


def fate(body: type[Struct], endpoint: Endpoint, name: str) -> str:
    """Returns what becomes of a parameter and why; MissingRowError for one that nobody says anything of."""
    if name in body.__struct_fields__:
        return f"served | {expectation(name, endpoint)}"
    if name in UNDERSTOOD[body]:
        answer, why = f"refused, unless {expectation(name, endpoint)}", why_refused(name)
    else:
        answer, why = "ignored", why_ignored(name, endpoint)
    if why is None:
        raise MissingRowError(f"{endpoint.name}: why_unserved.py does not say why {name} is {answer}")
    return f"{answer} | {why}"
