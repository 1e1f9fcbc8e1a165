"""The page for people, and the description of the API held against what is served."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from starlette.routing import Route

from services.edge.domain.openai import answer_types
from services.edge.domain.openai.ignored_fields import count_ignored
from services.edge.server.resource import Resource
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage


class Described:
    """The description as a client gets it, and answers held against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def check(self, name: str, answer: Any) -> None:
        """Fails where an answer is not what it should be, or says something that is not described."""
        schema = {"$ref": f"#/components/schemas/{name}", **self.document}
        jsonschema.Draft202012Validator(schema).validate(answer)
        type_: type[msgspec.Struct] = getattr(answer_types, name)
        assert count_ignored(answer, (type_,)) == 0


async def described(stage: Stage) -> Described:
    assert stage.process is not None
    async with stage.stranger() as client:
        answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return Described(answer.json())


def events_of(stream: str) -> Iterator[Any]:
    for line in stream.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def served_by(route: Route) -> Resource:
    served: Any = route.endpoint
    resource: Resource = served._resource
    return resource


async def test_every_endpoint_is_described_and_no_other(stage: Stage) -> None:
    await stage.start()
    assert stage.process is not None
    paths = (await described(stage)).document["paths"]
    served = {
        (re.sub(r":path\}", "}", route.path), served_by(route).method.lower())
        for route in stage.process._application._router.routes
        if isinstance(route, Route)
    }
    assert {(path, method) for path, methods in paths.items() for method in methods} == served
    assert len(served) >= 7
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)


async def test_what_is_answered_is_what_is_described(stage: Stage) -> None:
    client = await stage.start()
    description = await described(stage)
    description.check("ChatCompletion", (await client.post(PATH, json=CHAT)).json())
    events = list(events_of((await client.post(PATH, json=STREAM)).text))
    assert len(events) > 3
    for event in events:
        description.check("ChatCompletionChunk", event)
    description.check("ModelListAnswer", (await client.get("/v1/models")).json())
    description.check("ModelAnswer", (await client.get("/v1/models/tiny-eu")).json())
    description.check("HealthAnswer", (await client.get("/healthz")).json())
    description.check("HealthAnswer", (await client.get("/readyz")).json())
    for refused in (await client.post(PATH, json={}), await client.get("/nowhere")):
        description.check("ErrorAnswer", refused.json())


async def test_a_refusal_has_the_headers_that_are_described(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(
        Reason.TOKENS_EXHAUSTED, retry_after_seconds=1, quota=QuotaState(60, 58, 1_000, 3, 2.0, 4.0)
    )
    client = await stage.start()
    responses = (await described(stage)).document["components"]["responses"]
    answer = await client.post(PATH, json=CHAT)
    assert responses["Error429"]["headers"].keys() <= answer.headers.keys()


async def test_a_page_for_people_needs_no_key_and_nothing_from_elsewhere(stage: Stage) -> None:
    await stage.start()
    async with stage.stranger() as client:
        answer = await client.get("/")
        head = await client.head("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    assert len(answer.content) < 4_096
    for said in ("Base URL", "/v1/models", "/openapi.json", 'name="color-scheme" content="light dark"'):
        assert said in answer.text
    assert not re.search(r"(?:src|href)=\"(?!/)|<script|@import|url\(", answer.text)
    await stage.drain()
    assert (stage.emitter.events, stage.router.keys) == ([], [])


async def test_a_browser_takes_the_pages_style_and_no_other(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.get("/")
    (style,) = re.findall(r"<style>(.*)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["//", "/openapi.json/"])
async def test_slashes_too_many_are_understood(stage: Stage, path: str) -> None:
    client = await stage.start()
    assert (await client.get(path)).status_code == 200
    assert (await client.post(path)).status_code == 405
