"""Functions as the official Python client offered them before tools: by force, by choice and in a loop."""

import json
from typing import Any

import jsonschema
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.system.stack_process import Stack

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PARAMETERS: Any = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 10}, "unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER: Any = {"name": "weather", "description": "Dit le temps qu'il fera.", "parameters": PARAMETERS}
QUESTION: Any = {"role": "user", "content": "Quel temps fera-t-il demain à Lyon ?"}
FORCED: Any = {"name": "weather"}


def asked(**changes: Any) -> Any:
    request = {"messages": [QUESTION], "functions": [WEATHER], "temperature": 0, "max_tokens": 200}
    return request | changes


def whole(stack: Stack, **changes: Any) -> ChatCompletion:
    with stack.client(max_retries=0) as client:
        answer: ChatCompletion = client.chat.completions.create(model=stack.model, **asked(**changes))
        return answer


def streamed(stack: Stack, **changes: Any) -> tuple[str, str, str]:
    """The name, the arguments and the reason of the end of one streamed call."""
    name, arguments, finish = "", "", ""
    with (
        stack.client(max_retries=0) as client,
        client.chat.completions.create(model=stack.model, stream=True, **asked(**changes)) as stream,
    ):
        for chunk in stream:
            (choice,) = chunk.choices
            assert choice.delta.tool_calls is None
            if choice.delta.function_call is not None:
                name += choice.delta.function_call.name or ""
                arguments += choice.delta.function_call.arguments or ""
            finish = choice.finish_reason or finish
    return name, arguments, finish


def test_a_forced_function_is_called_alike_whole_and_streamed(stack: Stack) -> None:
    (choice,) = whole(stack, function_call=FORCED).choices
    call = choice.message.function_call
    assert call is not None
    assert (call.name, choice.message.content, choice.message.tool_calls) == ("weather", None, None)
    assert choice.finish_reason == "function_call"
    jsonschema.validate(json.loads(call.arguments), PARAMETERS)
    assert streamed(stack, function_call=FORCED) == ("weather", call.arguments, "function_call")


def test_a_function_is_no_part_of_an_answer_if_so_told(stack: Stack) -> None:
    (choice,) = whole(stack, function_call="none", max_tokens=20).choices
    assert choice.message.function_call is None
    assert choice.finish_reason in ("stop", "length")


def test_an_agent_goes_on_after_its_function_has_answered(stack: Stack) -> None:
    history = [QUESTION]
    for _ in range(2):
        message = whole(stack, messages=history, function_call=FORCED).choices[0].message
        assert message.function_call is not None
        brought = {"role": "function", "name": message.function_call.name, "content": "20 °C"}
        history += [message.model_dump(exclude_none=True), brought]
    last = whole(stack, messages=history, function_call="auto", max_tokens=30)
    assert last.usage is not None
    assert last.usage.prompt_tokens > 0
    assert last.choices[0].message.content or last.choices[0].message.function_call


def test_functions_beside_tools_are_refused_by_name(stack: Stack) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    with pytest.raises(openai.BadRequestError) as raised:
        whole(stack, tools=tools)
    assert (raised.value.param, raised.value.code) == ("functions", "invalid_value")


def test_a_keyword_that_cannot_be_seen_to_is_named_within_its_function(stack: Stack) -> None:
    other = {"name": "other", "parameters": {"type": "object", "not": {"required": ["a"]}}}
    with pytest.raises(openai.BadRequestError) as raised:
        whole(stack, functions=[WEATHER, other], function_call={"name": "other"})
    assert raised.value.param == "functions[1].parameters.not"
