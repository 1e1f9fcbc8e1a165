"""Requests of official clients, how they ended, and what the store must then say of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import httpx
import openai

from tests.guarantees import guaranteed
from tests.system.stack_process import Stack, eventually, request_id_of

MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
# What a client of OpenAI's raises where no answer of HTTP came, or its connection broke within one.
CONNECTION: Final = "connection"


@dataclass(frozen=True)
class WholeAnswer:
    """A request that ended well for its client."""

    request_id: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Failure:
    """A request that did not: the error's code, and whether text had come before."""

    code: str
    has_text: bool


async def ask(
    client: openai.AsyncOpenAI,
    model: str,
    *,
    output_tokens: int | openai.Omit = openai.omit,
    text_began: Callable[[], None] = lambda: None,
) -> WholeAnswer | Failure:
    """One streamed chat: the whole answer, or the error that its caller saw.

    `text_began` is called with the first text.
    """
    has_text, finish_reason, usage = False, None, None
    try:
        response = await client.chat.completions.with_raw_response.create(
            model=model,
            messages=MESSAGES,
            max_completion_tokens=output_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in response.parse():
            usage = chunk.usage or usage
            for choice in chunk.choices:
                if choice.delta.content and not has_text:
                    has_text = True
                    text_began()
                finish_reason = choice.finish_reason or finish_reason
    except (openai.APIConnectionError, httpx.TransportError):
        return Failure(CONNECTION, has_text)
    except openai.APIError as error:
        return Failure(str(error.code), has_text)
    assert finish_reason in {"stop", "length"}, "an answer ended in silence"
    assert usage is not None
    return WholeAnswer(response.headers["x-request-id"], usage.prompt_tokens, usage.completion_tokens)


@guaranteed()
def assert_counted_once(stack: Stack, answers: list[WholeAnswer]) -> None:
    """Each has its row of what was generated, and no request has more of them than it was admitted for.

    Where nobody knows whether an admission is durable, its answer is not shown, though it was generated: an
    edge that lost its router, as one does that stands still for two seconds, has its requests admitted again.
    """
    wanted = {answer.request_id: (answer.input_tokens, answer.output_tokens) for answer in answers}
    query = (
        "SELECT request_id_high, request_id_low, input_tokens, output_tokens "
        "FROM comptoir.generations WHERE outcome IN ('stop', 'length')"
    )

    def missing() -> set[str]:
        found: dict[str, list[tuple[int, int]]] = {}
        for row in stack.rows(query):
            found.setdefault(request_id_of(row), []).append((row["input_tokens"], row["output_tokens"]))
        again = {name: len(rows) for name, rows in found.items() if len(rows) > 1}
        assert not again or has_lost_its_router(stack), "a request has two rows"
        for name, count in again.items():
            _assert_admitted_as_often(stack, name, count)
        return {name for name, counts in wanted.items() if counts not in found.get(name, [])}

    eventually(missing, lambda names: names == set(), 60)


def has_lost_its_router(stack: Stack) -> bool:
    """Whether an edge of the stack says that a router did not answer it."""
    return any(b"router_lost" in log.read_bytes() for log in (stack.data_dir / "logs").glob("edge*"))


def _assert_admitted_as_often(stack: Stack, name: str, count: int) -> None:
    def admitted() -> int:
        return sum(row["decision"] == "admitted" for row in stack.rows_of("admissions", name))

    eventually(admitted, lambda times: times >= count, 60)


def assert_admitted(stack: Stack, answers: list[WholeAnswer], *, may_be_again: bool) -> None:
    """Each was admitted once; those whose replica or router died or hung, once more for the next one."""
    may_be_again = may_be_again or has_lost_its_router(stack)
    for answer in answers:
        rows = eventually(partial(stack.rows_of, "admissions", answer.request_id), bool, 60)
        admitted = [row for row in rows if row["decision"] == "admitted"]
        assert len(admitted) == 1 or (may_be_again and admitted)
