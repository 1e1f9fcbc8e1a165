"""Prompts that begin alike have the same first digests, of one key and under one secret alone."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.prefix import PREFIX_ENDS_BYTES
from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.prefixes import PrefixDigests
from services.edge.domain.tools import Tool, ToolCall, Tools

PREFIXES = PrefixDigests(b"s" * 32)


def chat(*texts: str, role: Role = Role.USER) -> GenerationRequest:
    return GenerationRequest("m", tuple(Message(role, text) for text in texts))


def prompt(said: str | tuple[int, ...]) -> GenerationRequest:
    return GenerationRequest("m", (), prompt=said)


def of(request: GenerationRequest) -> list[int]:
    return PREFIXES.of("key", request)


def alike(one: GenerationRequest, other: GenerationRequest) -> int:
    """How many first digests two requests share."""
    pairs = [*zip(of(one), of(other), strict=False)]
    shared = [first == second for first, second in pairs]
    assert shared == sorted(shared, reverse=True)
    return sum(shared)


def test_a_digest_stands_for_each_length_that_the_prompt_has() -> None:
    for count, end_bytes in enumerate(PREFIX_ENDS_BYTES):
        assert len(of(prompt("a" * (end_bytes - 1)))) == count
        assert len(of(prompt("a" * end_bytes))) == count + 1
    assert of(prompt("")) == of(chat("short")) == []


def test_they_are_alike_up_to_where_two_prompts_differ() -> None:
    shared = "Be brief. " * 160
    first, second = prompt(shared + "Bonjour" * 100), prompt(shared + "Salut" * 100)
    assert alike(first, second) == 3
    assert alike(chat(shared, "Bonjour" * 100), chat(shared, "Salut" * 100)) == 3


def test_a_conversation_begins_as_it_did_a_turn_ago() -> None:
    turns = ["You are a clerk. " * 40, "A question. " * 60, "An answer. " * 70]
    assert alike(chat(*turns), chat(*turns, "And another question. " * 90)) == len(of(chat(*turns))) == 4


@pytest.mark.parametrize(
    "changed",
    [
        replace(chat("a" * 600), reasoning_effort="high"),
        replace(chat("a" * 600), template_arguments={"enable_thinking": False}),
        replace(chat("a" * 600), tools=Tools((Tool("find"),))),
        chat("a" * 600, role=Role.SYSTEM),
        chat("a" * 400, "a" * 200),
        GenerationRequest("m", (Message(Role.TOOL, "a" * 600, tool_call_id="call_1"),)),
    ],
    ids=["effort", "template", "tools", "role", "turns", "call"],
)
def test_whatever_a_template_writes_is_part_of_it(changed: GenerationRequest) -> None:
    assert alike(chat("a" * 600), changed) == 0


def test_calls_of_tools_are_part_of_it() -> None:
    call = ToolCall("call_1", "find", "{}" * 300)
    called = GenerationRequest(
        "m", (Message(Role.ASSISTANT, "", tool_calls=(call,)), Message(Role.USER, "x"))
    )
    assert len(of(called)) == 1


def test_ids_of_tokens_count_four_bytes_each_as_tokens_of_text_do() -> None:
    assert len(of(prompt(tuple(range(127))))) == 0
    assert len(of(prompt(tuple(range(128))))) == 1
    assert alike(prompt((2**31 - 1,) * 300), prompt((2**31 - 1,) * 200 + (0,) * 100)) == 1


def test_two_keys_have_nothing_in_common_and_two_secrets_neither() -> None:
    request = prompt("The same text of two tenants. " * 100)
    digests = [
        *PREFIXES.of("one", request),
        *PREFIXES.of("two", request),
        *PrefixDigests(b"t" * 32).of("one", request),
    ]
    assert len(set(digests)) == len(digests) == 12
    assert all(0 <= digest < 2**64 for digest in digests)


def test_a_request_for_vectors_has_none() -> None:
    assert of(GenerationRequest("m", (), inputs=("a" * 1000,))) == []


def test_nothing_behind_the_longest_beginning_is_looked_at() -> None:
    longest = "é" * (PREFIX_ENDS_BYTES[-1] // 2)
    assert of(prompt(longest)) == of(prompt(longest + "more" * 250_000))
    assert len(of(prompt(longest))) == len(PREFIX_ENDS_BYTES)
    assert len(of(chat(*["x"] * 20_000))) < 5


texts = st.text(max_size=700) | st.integers(0, 70_000).map("abcdefghij ".__mul__).map(
    lambda text: text[:70_000]
)


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, max_size=2))
def test_what_is_added_behind_changes_no_digest_that_was_there(said: list[str], more: list[str]) -> None:
    before, after = of(chat(*said)), of(chat(*said, *more))
    assert after[: len(before)] == before


@given(texts)
def test_parts_of_a_text_begin_as_the_whole_of_it(text: str) -> None:
    whole = of(prompt(text))
    for part in re.findall("(?s).{1,40000}", text)[:1]:
        assert whole[: len(of(prompt(part)))] == of(prompt(part))
