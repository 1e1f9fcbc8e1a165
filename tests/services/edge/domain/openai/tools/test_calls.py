"""SDKs put the pieces of a call together by adding up what stands in the chunks."""

import json

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from services.edge.domain.generation import Counts, Delta, FinishReason, ToolCallDelta
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat

HEAD = ChatHead("0" * 32, 1_790_000_000)
CALLS = st.lists(st.lists(st.text(max_size=8), max_size=4), min_size=1, max_size=3)
END = Delta(finish=FinishReason.TOOL_CALLS)


def pieces(calls: list[list[str]]) -> list[Delta]:
    return [
        Delta(tool_call=piece)
        for index, parts in enumerate(calls)
        for piece in (
            ToolCallDelta(index, f"call_{index}", f"tool-{index}"),
            *(ToolCallDelta(index, arguments=part) for part in parts),
        )
    ]


@given(CALLS, st.text(max_size=5))
def test_a_whole_answer_has_each_call_once(calls: list[list[str]], text: str) -> None:
    whole = WholeChat(HEAD)
    for delta in (Delta(text), *pieces(calls), END):
        whole.add(delta)
    answer = ChatCompletion.model_validate(json.loads(b"".join(whole.parts(Counts(1, 0, 2), "tiny-eu"))))
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == (text or None)
    called = choice.message.tool_calls or []
    assert [(call.id, call.type) for call in called] == [
        (f"call_{index}", "function") for index in range(len(calls))
    ]
    assert [json.loads(call.model_dump_json())["function"] for call in called] == [
        {"name": f"tool-{index}", "arguments": "".join(parts)} for index, parts in enumerate(calls)
    ]


@given(CALLS)
def test_a_stream_names_each_call_once_and_its_index_always(calls: list[list[str]]) -> None:
    writer = ChunkWriter(HEAD, includes_usage=False)
    writer.opening("tiny-eu")
    names: dict[int, list[str]] = {}
    arguments: dict[int, str] = {}
    for delta in pieces(calls):
        for frame in writer.frames(delta).decode().split("\n\n")[:-1]:
            chunk = ChatCompletionChunk.model_validate(json.loads(frame.removeprefix("data: ")))
            for call in chunk.choices[0].delta.tool_calls or []:
                function = call.function
                assert function is not None
                names.setdefault(call.index, []).extend([function.name] if function.name else [])
                arguments[call.index] = arguments.get(call.index, "") + (function.arguments or "")
                assert (call.id is not None) == (function.name is not None)
    assert names == {index: [f"tool-{index}"] for index in range(len(calls))}
    assert arguments == {index: "".join(parts) for index, parts in enumerate(calls)}


def test_a_text_and_a_call_that_come_together_are_both_told() -> None:
    writer = ChunkWriter(HEAD, includes_usage=False)
    writer.opening("tiny-eu")
    frame = writer.frames(Delta("So:", tool_call=ToolCallDelta(0, "call_0", "tool")))
    chunk = ChatCompletionChunk.model_validate(json.loads(frame.removeprefix(b"data: ")))
    delta = chunk.choices[0].delta
    assert delta.content == "So:"
    assert [call.id for call in delta.tool_calls or []] == ["call_0"]
