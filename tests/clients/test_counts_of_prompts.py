"""A count is of the very prompt that an answer to the same request reads, whatever changes it."""

import asyncio
import json
from typing import Any, Final

import httpx
import openai
import pytest
from comptoir.client import user
from comptoir.client.aio import Client
from comptoir.generator.v1.generator_pb2 import ReasoningEffort, TemplateOptions, TemplateValue, Tool, Tools
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.test_streams_and_answers import OPENING, TOOLS
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

REQUESTS_PER_RUN: Final = 6
_SCHEMA: Final = {
    "type": "json_schema",
    "json_schema": {"name": "opening", "strict": True, "schema": OPENING},
}
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
TEXTS: Final = st.sampled_from(["Bonjour.", "Wer ist da? 🌊", "<|user|>", "a\nb", "</think>"])
# By a chat's names; absent, each changes nothing.
TOLD: Final = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.sampled_from([TOOLS, TOOLS[:1], []]),
        "reasoning_effort": st.sampled_from(_EFFORTS),
        "chat_template_kwargs": st.sampled_from([{"enable_thinking": True}, {"enable_thinking": False}, {}]),
        "enable_thinking": st.booleans(),
        "response_format": st.sampled_from([{"type": "json_object"}, _SCHEMA]),
    },
)
REQUESTS: Final = st.builds(
    lambda text, told: {"messages": [{"role": "user", "content": text}], **told}, TEXTS, TOLD
)
_OF_VLLM: Final = ("chat_template_kwargs", "enable_thinking")


async def counts(stack: Stack, request: dict[str, Any]) -> list[int]:
    """Returns what is counted of a chat by its answer, by vLLM's endpoint, by OpenAI's and over gRPC."""
    async with stack.async_client(max_retries=0, timeout=120) as client:
        return [
            await _by_its_answer(stack, client, request),
            await _by_tokenize(stack, request),
            await _by_input_tokens(stack, client, request),
            await _over_grpc(stack, request),
        ]


async def _by_its_answer(stack: Stack, client: openai.AsyncOpenAI, request: dict[str, Any]) -> int:
    known = {name: value for name, value in request.items() if name not in _OF_VLLM}
    answer = await client.chat.completions.create(
        model=stack.model, max_completion_tokens=1, extra_body=_extra(request), **known
    )
    return int(answer.usage.prompt_tokens)


async def _by_tokenize(stack: Stack, request: dict[str, Any]) -> int:
    url = stack.base_url.removesuffix("/v1") + "/tokenize"
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {stack.api_key}"}, timeout=120) as client:
        answer = (await client.post(url, json={"model": stack.model, **request})).raise_for_status().json()
    assert answer["count"] == len(answer["tokens"])
    return int(answer["count"])


async def _by_input_tokens(stack: Stack, client: openai.AsyncOpenAI, request: dict[str, Any]) -> int:
    told: Any = {"model": stack.model, "input": request["messages"]}
    if "tools" in request:
        told["tools"] = [{"type": "function", **tool["function"]} for tool in request["tools"]]
    if "reasoning_effort" in request:
        told["reasoning"] = {"effort": request["reasoning_effort"]}
    if request.get("response_format") == _SCHEMA:
        told["text"] = {"format": {"type": "json_schema", **_SCHEMA["json_schema"]}}  # type: ignore[dict-item]
    counted = await client.responses.input_tokens.count(**told, extra_body=_extra(request))
    return counted.input_tokens


async def _over_grpc(stack: Stack, request: dict[str, Any]) -> int:
    arguments = {"enable_thinking": request["enable_thinking"]} if "enable_thinking" in request else {}
    arguments |= request.get("chat_template_kwargs", {})
    template = TemplateOptions(
        reasoning_effort=ReasoningEffort.Value(
            f"REASONING_EFFORT_{request.get('reasoning_effort', 'unspecified').upper()}"
        ),
        arguments={name: TemplateValue(flag=value) for name, value in arguments.items()},
    )
    told: Any = {"template": template}
    if functions := [tool["function"] for tool in request.get("tools", ())]:
        told["tools"] = Tools(
            tools=[
                Tool(name=each["name"], parameters_schema=json.dumps(each["parameters"]))
                for each in functions
            ]
        )
    messages = [user(message["content"]) for message in request["messages"]]
    async with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        return await client.count_tokens(model=stack.model, messages=messages, **told)


def _extra(request: dict[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in _OF_VLLM if name in request}


async def check(stack: Stack, requests: list[dict[str, Any]]) -> None:
    async with asyncio.timeout(200):
        found = await asyncio.gather(*(counts(stack, request) for request in requests))
    for request, counted in zip(requests, found, strict=True):
        assert len(set(counted)) == 1, (request, counted)


@settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(REQUESTS, min_size=REQUESTS_PER_RUN, max_size=REQUESTS_PER_RUN))
def test_every_count_of_a_chat_is_the_prompt_tokens_of_its_answer(
    stack: Stack, requests: list[dict[str, Any]]
) -> None:
    asyncio.run(check(stack, requests))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"chat_template_kwargs": {"geheim": True}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"enable_thinking": "geheim"}}, "chat_template_kwargs"),
        ({"tools": [{"type": "geheim"}]}, "tools[0].type"),
    ],
)
def test_what_an_answer_would_be_refused_for_is_not_counted_either(
    stack: Stack, told: dict[str, Any], name: str
) -> None:
    url = stack.base_url.removesuffix("/v1") + "/tokenize"
    headers = {"authorization": f"Bearer {stack.api_key}"}
    body = {"model": stack.model, "messages": [{"role": "user", "content": "a"}], **told}
    refusal = httpx.post(url, json=body, headers=headers, timeout=60)
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, name)
    assert "geheim" not in refusal.text
