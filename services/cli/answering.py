"""One answer of an OpenAI endpoint, shown as it is generated, and how long it took."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.local.stack.errors import StackError
from services.cli.conversation import Role, shown, writable

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionChunk


@dataclass(frozen=True, slots=True)
class Ask:
    """Which model is asked, and how it is to answer."""

    model: str
    max_tokens: int | None
    temperature: float


@dataclass(slots=True)
class Answer:
    """What came of an answer so far: `text` is whole unless it was stopped or broke off."""

    text: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    ttft_seconds: float = 0.0
    decode_seconds: float = 0.0

    @property
    def cost(self) -> str:
        """TTFT, speed and tokens in one line; empty where the endpoint counted none."""
        if self.input_tokens is None or self.output_tokens is None:
            return ""
        rate = (self.output_tokens - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0
        return (
            f"TTFT {1000 * self.ttft_seconds:.0f} ms, {rate:.0f} output tokens/s, "
            f"{self.input_tokens} input tokens, {self.output_tokens} output tokens"
        )


def stream_answer(
    client: "OpenAI",
    ask: Ask,
    turns: Sequence[tuple[Role, str]],
    answer: Answer,
    write: Callable[[str], object],
) -> None:
    """Writes an answer piece by piece, and into `answer`, which has what came where this is interrupted.

    Errors of OpenAI's client, or KeyboardInterrupt; the request has then ended on the server too.
    """
    started = time.monotonic()
    first = last = 0.0
    messages: Any = [{"role": role, "content": text} for role, text in turns]
    with client.chat.completions.create(
        model=ask.model,
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
        temperature=ask.temperature,
        max_completion_tokens=ask.max_tokens,
    ) as stream:
        for chunk in stream:
            if chunk.usage is not None:
                answer.input_tokens = chunk.usage.prompt_tokens
                answer.output_tokens = chunk.usage.completion_tokens
            if piece := _content(chunk):
                last = time.monotonic()
                first = first or last
                answer.text += piece
                write(piece)
    first = first or time.monotonic()
    answer.ttft_seconds, answer.decode_seconds = first - started, max(0.0, last - first)


def said_of(error: Exception, base_url: str) -> StackError:
    """Returns an error of OpenAI's client as one sentence."""
    import openai  # noqa: PLC0415 - takes a second, which no other command needs

    if isinstance(error, openai.APIStatusError):
        return StackError(f"{base_url} refused: {_safe(error.message)}")
    if isinstance(error, openai.APIConnectionError):
        return StackError(f"{base_url} cannot be reached; is it running? `comptoir status` tells.")
    return StackError(f"The answer broke off: {_safe(getattr(error, 'message', type(error).__name__))}")


def _safe(message: str) -> str:
    """What another endpoint says goes to a terminal as well."""
    return shown(writable(message))


def _content(chunk: "ChatCompletionChunk") -> str:
    return writable(chunk.choices[0].delta.content or "") if chunk.choices else ""
