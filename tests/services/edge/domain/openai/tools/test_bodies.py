"""Tools are read as the SDK's own types write them."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageFunctionToolCall
from openai.types.chat.chat_completion_message_function_tool_call import Function

from services.edge.domain.openai.tools.bodies import ToolBody, ToolCallBody

NAMES = st.from_regex(r"\A[a-zA-Z0-9_-]{1,64}\Z")


@given(NAMES, st.text(max_size=20), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))
def test_a_function_is_read_whole(name: str, description: str, parameters: dict[str, int]) -> None:
    function = {"name": name, "description": description, "parameters": parameters, "strict": True}
    read = msgspec.convert({"type": "function", "function": function}, ToolBody)
    assert (read.function.name, read.function.description) == (name, description)
    assert read.function.parameters == parameters


@given(NAMES, st.text(max_size=20))
def test_a_call_that_an_agent_sends_back_is_read_whole(name: str, arguments: str) -> None:
    call = ChatCompletionMessageFunctionToolCall(
        id="call_1", type="function", function=Function(name=name, arguments=arguments)
    )
    read = msgspec.convert(json.loads(call.model_dump_json()), ToolCallBody)
    assert (read.id, read.function.name, read.function.arguments) == ("call_1", name, arguments)
