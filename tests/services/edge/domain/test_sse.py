import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from services.edge.domain.chat import Finished, FinishReason
from services.edge.domain.sse import DONE, PING, ChunkWriter, error_frame

FINISHED = Finished(FinishReason.LENGTH, 5, 2, 3)


def writer(model: str = "tiny-eu", *, includes_usage: bool = False) -> ChunkWriter:
    return ChunkWriter(
        request_hex="0" * 32, model=model, created_seconds=1_790_000_000, includes_usage=includes_usage
    )


def decode(stream: bytes) -> list[str]:
    return [event.data for event in SSEDecoder().iter_bytes(iter([stream]))]


@given(st.lists(st.text()), st.text(min_size=1))
def test_any_text_comes_back_through_the_sdks_decoder(texts: list[str], model: str) -> None:
    chunks = writer(model)
    stream = b"".join(map(chunks.text, texts)) + chunks.finish(FINISHED) + DONE
    *events, last = decode(stream)
    assert last == "[DONE]"
    bodies = [json.loads(event) for event in events]
    assert [body["choices"][0]["delta"].get("content") for body in bodies] == [*texts, None]
    assert {body["model"] for body in bodies} == {model}


@given(st.text())
def test_a_frame_is_one_line_to_every_kind_of_line_reader(text: str) -> None:
    frame = writer().text(text).decode()
    assert frame.endswith("\n\n")
    assert len(frame[:-2].splitlines()) == 1
    assert frame.startswith("data: {")


@pytest.mark.parametrize("includes_usage", [True, False])
def test_frames_of_one_answer(includes_usage: bool) -> None:
    chunks = writer(includes_usage=includes_usage)
    stream = chunks.role() + PING + chunks.text("a") + chunks.finish(FINISHED) + DONE
    role, text, finish, *rest = [json.loads(data) for data in decode(stream)[:-1]]
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text["choices"][0] == {
        "index": 0,
        "delta": {"content": "a"},
        "logprobs": None,
        "finish_reason": None,
    }
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == "length"
    assert all(("usage" in chunk) is includes_usage for chunk in (role, text, finish))
    assert len(rest) == includes_usage
    for usage_chunk in rest:
        assert usage_chunk["choices"] == []
        assert usage_chunk["usage"] == {
            "prompt_tokens": 5,
            "completion_tokens": 3,
            "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 2},
        }


def test_a_failure_is_one_frame() -> None:
    assert decode(error_frame(b'{"error":{}}') + DONE) == ['{"error":{}}', "[DONE]"]
