import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from services.edge.domain.generation import Counts, Delta, FinishReason
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat
from services.edge.domain.openai.streams import DONE, PING

FINISH = Delta(finish=FinishReason.LENGTH)
COUNTS = Counts(5, 2, 3, 1)
TEXT = st.text(min_size=1)


def writer(model: str = "tiny-eu", *, includes_usage: bool = False) -> ChunkWriter:
    chunks = ChunkWriter(ChatHead("0" * 32, 1_790_000_000), includes_usage=includes_usage)
    chunks.opening(model)
    return chunks


def decode(stream: bytes) -> list[str]:
    return [event.data for event in SSEDecoder().iter_bytes(iter([stream]))]


@given(st.lists(TEXT), st.text(min_size=1))
def test_any_text_comes_back_through_the_sdks_decoder(texts: list[str], model: str) -> None:
    chunks = writer(model)
    stream = b"".join(chunks.frames(Delta(text)) for text in texts) + chunks.frames(FINISH) + DONE
    *events, last = decode(stream)
    assert last == "[DONE]"
    bodies = [json.loads(event) for event in events]
    assert [body["choices"][0]["delta"].get("content") for body in bodies] == [*texts, None]
    assert {body["model"] for body in bodies} == {model}


@given(TEXT)
def test_a_frame_is_one_line_to_every_kind_of_line_reader(text: str) -> None:
    frame = writer().frames(Delta(text)).decode()
    assert frame.endswith("\n\n")
    assert len(frame[:-2].splitlines()) == 1
    assert frame.startswith("data: {")


@pytest.mark.parametrize("includes_usage", [True, False])
def test_frames_of_one_answer(includes_usage: bool) -> None:
    chunks = writer(includes_usage=includes_usage)
    stream = chunks.opening("tiny-eu") + PING + chunks.frames(Delta("a")) + chunks.frames(FINISH)
    stream += b"".join(chunks.closing(COUNTS))
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
            "completion_tokens_details": {"reasoning_tokens": 1},
        }


def test_a_delta_without_text_is_no_frame() -> None:
    assert writer().frames(Delta("")) == b""


@given(st.text(), st.integers(0, 2**32 - 1))
def test_a_whole_answer_is_a_chat_completion(text: str, tokens: int) -> None:
    answer = WholeChat(ChatHead("ab" * 16, 7))
    for delta in (Delta(text[:1]), Delta(text[1:]), FINISH):
        answer.add(delta)
    body = json.loads(b"".join(answer.parts(Counts(tokens, 0, 1), "org/m")))
    assert body["id"] == f"chatcmpl-{'ab' * 16}"
    assert body["object"] == "chat.completion"
    assert body["model"] == "org/m"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": text, "refusal": None}
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["total_tokens"] == tokens + 1
