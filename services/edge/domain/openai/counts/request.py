"""Requests that count a prompt, as vLLM and OpenAI have them, and their answers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.openai.chat.request import chat_steps
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.counts.bodies import (
    INPUT_TOKENS_NEUTRAL,
    TOKENIZE_NEUTRAL,
    InputTokensBody,
    TokenizeBody,
)
from services.edge.domain.openai.parameters import refuse_unsupported
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.responses.items import message_steps
from services.edge.domain.ports import TokenCount
from services.kernel.steps import Steps, finished

# Half a millisecond.
IDS_PER_PART: Final = 4096
_BYTES_PER_ID: Final = 4


@dataclass(frozen=True, slots=True)
class CountRequest:
    """A prompt to count; `returns_ids` where the answer lists its tokens."""

    generation: GenerationRequest
    returns_ids: bool = False

    @property
    def answer_bytes(self) -> int:
        """How many bytes the ids of its tokens have at most, but for letters of several bytes each."""
        if not self.returns_ids:
            return 0
        prompt = self.generation.prompt
        texts = [message.text for message in self.generation.messages] if prompt is None else [prompt]
        return sum(map(len, texts)) * _BYTES_PER_ID


def parse_tokenize(value: object) -> CountRequest:
    """Returns what `tokenize_steps` does, at once."""
    return finished(tokenize_steps(value))


def tokenize_steps(value: object) -> Steps[CountRequest]:
    """Returns what a body of `/tokenize` wants counted; raises as `chat_steps` does."""
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, TOKENIZE_NEUTRAL)
    body = converted(value, TokenizeBody)
    yield
    if (body.prompt is None) == (body.messages is None):
        invalid("prompt")
    is_text = body.prompt is not None
    if body.add_special_tokens not in (None, is_text):
        unsupported("add_special_tokens")
    request = GenerationRequest(body.model or "", (), prompt=body.prompt)
    if not is_text:
        chat = yield from chat_steps({"messages": value["messages"]})
        request = replace(request, messages=chat.generation.messages)
    return CountRequest(request, returns_ids=True)


def parse_input_tokens(value: object) -> CountRequest:
    """Returns what `input_tokens_steps` does, at once."""
    return finished(input_tokens_steps(value))


def input_tokens_steps(value: object) -> Steps[CountRequest]:
    """Returns what a body of `responses.input_tokens` wants counted; raises as `chat_steps` does."""
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, INPUT_TOKENS_NEUTRAL)
    body = converted(value, InputTokensBody)
    yield
    messages = yield from message_steps(body.instructions, body.input)
    return CountRequest(GenerationRequest(body.model or "", messages))


def tokenize_json(counted: TokenCount) -> Iterator[bytes]:
    """Yields the answer of vLLM's `/tokenize` in parts, none of which takes long to write."""
    yield (
        f'{{"count":{counted.tokens},"max_model_len":{counted.context_tokens},"token_strs":null,"tokens":['
    ).encode()
    for start in range(0, len(counted.ids), IDS_PER_PART):
        ids = ",".join(map(str, counted.ids[start : start + IDS_PER_PART]))
        yield (ids if start == 0 else "," + ids).encode()
    yield b"]}"


def input_tokens_json(counted: TokenCount) -> Iterator[bytes]:
    """Yields the answer of OpenAI's `responses.input_tokens`."""
    yield f'{{"object":"response.input_tokens","input_tokens":{counted.tokens}}}'.encode()
