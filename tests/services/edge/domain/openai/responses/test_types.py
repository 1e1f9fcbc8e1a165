"""The types of responses are those that OpenAI's SDK reads, and no field of ours is unknown to it."""

import json
from typing import Any, get_type_hints

import msgspec
import openai.types.responses as sdk
import pytest
from pydantic import BaseModel

from services.edge.domain.generation import Counts, Delta, FinishReason, ToolCallDelta
from services.edge.domain.openai.responses import types as response_types
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead, WholeResponse
from services.edge.domain.openai.responses.output import OutputOptions
from services.edge.domain.openai.responses.request import parse_response
from tests.services.edge.domain.openai.responses.requests import REQUEST, TIME

TWINS = [(response_types.Response, sdk.Response), (response_types.ResponseUsage, sdk.ResponseUsage)]
# OpenAI's answers say it, and its SDK has no type for it.
UNTYPED = {"store"}


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_every_field_is_one_that_the_sdk_knows(ours: type[msgspec.Struct], theirs: type[BaseModel]) -> None:
    assert set(ours.__struct_fields__) - UNTYPED <= set(theirs.model_fields)


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_what_the_sdk_cannot_do_without_is_in_every_answer(
    ours: type[msgspec.Struct], theirs: type[BaseModel]
) -> None:
    needed = {name for name, field in theirs.model_fields.items() if field.is_required()}
    optional = {field.name for field in msgspec.structs.fields(ours) if not field.required}
    assert needed <= set(get_type_hints(ours)) - optional


def fields_of(kind: type[msgspec.Struct]) -> set[str]:
    return set(kind.__struct_fields__)


@pytest.mark.parametrize("is_summary", [False, True])
def test_what_is_written_is_what_is_described(is_summary: bool) -> None:
    echoed = parse_response(REQUEST | {"tools": [TIME]}).echoed
    head = ResponseHead(
        "0f" * 16, 1_790_000_000, echoed, output=OutputOptions(is_reasoning_summary=is_summary)
    )
    deltas = [
        Delta(reasoning="hm"),
        Delta("a"),
        Delta(tool_call=ToolCallDelta(0, "call_0", "time", "{}")),
        Delta(finish=FinishReason.LENGTH),
    ]
    answer, writer = WholeResponse(head), ResponseEventWriter(head)
    stream = writer.opening("m")
    for delta in deltas:
        answer.add(delta)
        stream += writer.frames(delta)
    stream += b"".join(writer.closing(Counts(1, 0, 1)))
    body = b"".join(answer.parts(Counts(1, 0, 1), "m"))
    assert set(json.loads(body)) == fields_of(response_types.Response) - {"service_tier"}
    msgspec.json.decode(body, type=response_types.Response)
    for line in stream.splitlines():
        if line.startswith(b"data: "):
            data = line.removeprefix(b"data: ")
            event: dict[str, Any] = json.loads(data)
            assert set(event) <= fields_of(response_types.ResponseEvent)
            assert set(event.get("item", ())) <= fields_of(response_types.ResponseOutputItem)
            msgspec.json.decode(data, type=response_types.ResponseEvent)
