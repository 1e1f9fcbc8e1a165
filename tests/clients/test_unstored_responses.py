"""Responses, of which nothing is stored: what is refused for it, what Codex sends, and the row that stays."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.clients.test_other_clients import NODE, PROGRAMS, run
from tests.clients.test_responses import WEATHER, said, streamed, whole
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

MOST_CHARACTERS_AT_OPENAI = 64


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"store": True}, "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"not": {}}}}},
            "text.format.schema.not",
        ),
        (
            {"tools": [WEATHER, {"type": "web_search"}, WEATHER | {"name": "f", "parameters": {"not": {}}}]},
            "tools[2].parameters.not",
        ),
    ],
)
def test_what_is_not_served_is_named(stack: Stack, asked: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        whole(stack, **asked)
    assert refusal.value.param == param


def test_nothing_is_found_by_its_id(stack: Stack) -> None:
    answer = whole(stack, max_output_tokens=4)
    with stack.client(max_retries=0) as client:
        for ask in (
            client.responses.retrieve,
            client.responses.delete,
            client.responses.cancel,
            client.responses.input_items.list,
        ):
            with pytest.raises(openai.NotFoundError) as refusal:
                ask(answer.id)
            assert "stored" in refusal.value.message


def test_the_vercel_ai_sdk_chats_and_calls_tools_by_references_with_its_default_settings(
    stack: Stack,
) -> None:
    variables = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    said: dict[str, Any] = json.loads(run(variables, NODE, PROGRAMS / "vercel_ai_turns.mjs", stack.model))
    # It sent references, and no text of the model.
    for sent in (said["whole"], said["streamed"], said["page"]):
        assert {item["type"] for item in sent if "role" not in item} == {"item_reference"}
        assert {item["role"] for item in sent if "role" in item} == {"user"}
    for sent in (said["wholeLoop"], said["streamedLoop"]):
        assert [item["type"] for item in sent[1:]].count("function_call_output") == 2
    # The texts are read, and are a part of the prompt.
    with stack.client() as client:
        count = client.responses.input_tokens.count
        users = [item for item in said["streamed"] if "role" in item]
        all_tokens = count(model=stack.model, input=said["streamed"]).input_tokens
        assert all_tokens > count(model=stack.model, input=users).input_tokens
    # Of an answer that was stopped there is no text to be read.
    assert said["stopped"]["param"] == "input[1].type"
    assert "send it whole" in said["stopped"]["message"]


def test_who_sends_items_whole_gets_ids_that_hold_nothing(stack: Stack) -> None:
    answer, events = whole(stack, max_output_tokens=4), streamed(stack, max_output_tokens=4)
    told = [item.id for response in (answer, events[-1].response) for item in response.output]
    assert all(each and len(each) <= MOST_CHARACTERS_AT_OPENAI for each in told)


def test_codex_is_answered_with_its_default_settings(stack: Stack) -> None:
    shell = {
        "type": "function",
        "name": "shell",
        "description": "Runs a command.",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "array", "items": {"type": "string", "maxLength": 8}}},
            "required": ["command"],
            "additionalProperties": False,
        },
    }
    patch = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark"}}
    body = {
        "model": stack.model,
        "instructions": "You are a coding agent.",
        "input": [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "<permissions>"}],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Liste."}]},
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "x"},
            {
                "type": "function_call",
                "name": "shell",
                "arguments": '{"command":["ls"]}',
                "call_id": "call_1",
            },
            {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": [{"type": "input_text", "text": "README"}],
            },
        ],
        "tools": [shell, patch, {"type": "web_search", "external_web_access": False}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": None,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199",
        "client_metadata": {"x-codex": "1"},
        "max_output_tokens": 60,
    }
    answer = httpx.post(
        f"{stack.base_url}/responses",
        json=body,
        headers={"authorization": f"Bearer {stack.api_key}"},
        timeout=60,
    )
    assert answer.status_code == 200
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[0] == "response.created"
    assert names[-1] in ("response.completed", "response.incomplete")
    # Two tools, what is included, two that say nothing of the answer, and what the train of thought brings.
    assert int(answer.headers["x-comptoir-ignored-fields"]) >= 5


def test_one_response_is_one_row(stack: Stack) -> None:
    answer = whole(stack, max_output_tokens=4)
    row = stack.row_of("edge_requests", answer.id.removeprefix("resp_"))
    assert (row["endpoint"], row["http_status"]) == ("responses", 200)


def test_what_the_model_thinks_is_an_item_before_what_it_says(stack: Stack) -> None:
    asked: dict[str, Any] = {"reasoning": {"effort": "low", "summary": "auto"}, "temperature": 0}
    answer, events = whole(stack, **asked), streamed(stack, **asked)
    assert answer.usage is not None
    reasoned = [item for item in answer.output if item.type == "reasoning"]
    assert bool(reasoned) == bool(answer.usage.output_tokens_details.reasoning_tokens)
    assert said(events[-1].response) == said(answer)
    assert answer.reasoning is not None
    assert answer.reasoning.effort == "low"
