"""What a chat says of reasoning, and how reasoning is answered."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Counts, Delta, FinishReason
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat
from services.edge.domain.openai.chat.request import parse_chat
from services.kernel.errors import Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, refusal
from tests.services.edge.domain.openai.chat.test_answers import decode

COUNTS = Counts(5, 2, 9, 4)
DELTAS = st.lists(
    st.builds(Delta, st.text(max_size=3), reasoning=st.text(max_size=3), index=st.just(0)), max_size=6
)


def head(*, includes_reasoning: bool = True, tier: str | None = None) -> ChatHead:
    told = None if tier is None else lambda: tier
    return ChatHead("0" * 32, 1_790_000_000, told, includes_reasoning)


def whole(deltas: list[Delta], answer_head: ChatHead) -> dict[str, object]:
    answer = WholeChat(answer_head)
    for delta in [*deltas, Delta(finish=FinishReason.STOP)]:
        answer.add(delta)
    body: dict[str, object] = json.loads(b"".join(answer.parts(COUNTS, "tiny-eu")))
    return body


@given(DELTAS)
def test_a_stream_says_and_thinks_what_the_whole_answer_does(deltas: list[Delta]) -> None:
    writer = ChunkWriter(head(), includes_usage=True)
    stream = writer.opening("tiny-eu") + b"".join(writer.frames(delta) for delta in deltas)
    *events, _ = decode(stream + b"".join(writer.closing(COUNTS)))
    chunks = [json.loads(data) for data in events]
    news = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    body = json.loads(json.dumps(whole(deltas, head())))
    message = body["choices"][0]["message"]
    assert "".join(new.get("reasoning_content", "") for new in news) == message.get("reasoning_content", "")
    assert "".join(new.get("content", "") for new in news) == (message["content"] or "")
    assert chunks[-1]["usage"] == body["usage"]
    assert body["usage"]["completion_tokens_details"] == {"reasoning_tokens": 4}


def test_an_answer_of_reasoning_alone_has_no_content() -> None:
    body = json.loads(json.dumps(whole([Delta(reasoning="hm")], head())))
    assert body["choices"][0]["message"]["content"] is None
    assert body["choices"][0]["message"]["reasoning_content"] == "hm"


def test_reasoning_that_is_not_wanted_is_counted_and_not_told() -> None:
    quiet = head(includes_reasoning=False)
    assert "reasoning_content" not in json.dumps(whole([Delta(reasoning="hm")], quiet))
    writer = ChunkWriter(quiet, includes_usage=False)
    writer.opening("tiny-eu")
    assert writer.frames(Delta(reasoning="hm")) == b""
    assert b"hm" not in writer.frames(Delta("oui", reasoning="hm"))


def test_the_tier_is_told_where_it_was_asked_for() -> None:
    assert whole([], head(tier="flex"))["service_tier"] == "flex"
    assert "service_tier" not in whole([], head())


def test_what_a_chat_says_of_reasoning_is_what_the_replica_is_asked_for() -> None:
    changes = {
        "reasoning_effort": "low",
        "chat_template_kwargs": {"enable_thinking": True, "style": "brief"},
        "thinking_token_budget": 8,
        "include_reasoning": False,
        "service_tier": "flex",
    }
    chat = parse_chat(CHAT | changes)
    generation = chat.generation
    assert (generation.reasoning_effort, generation.sampling["thinking_token_budget"]) == ("low", 8)
    assert (chat.includes_reasoning, chat.service_tier) == (False, "flex")


def test_arguments_of_the_template_are_told_without_nulls() -> None:
    values = {"enable_thinking": True, "style": "brief", "level": 2, "other": None}
    chat = parse_chat(CHAT | {"chat_template_kwargs": values})
    told = {"enable_thinking": True, "style": "brief", "level": 2}
    assert chat.generation.template_arguments == told
    assert chat.generation.without_text().template_arguments == {}


@pytest.mark.parametrize(
    "arguments", [{"Geheim": 1}, {"": 1}, {"a": []}, {"a": {}}, {"a": 1.5}, {"a": 2**63}, {"a": "é" * 129}]
)
def test_arguments_that_no_model_permits_are_refused_by_the_field(arguments: dict[str, object]) -> None:
    error = refusal(chat_template_kwargs=arguments)
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, "chat_template_kwargs")


@pytest.mark.parametrize("effort", ["", "most", 1])
def test_an_effort_that_is_none_is_refused(effort: object) -> None:
    assert refusal(reasoning_effort=effort).field == "reasoning_effort"
