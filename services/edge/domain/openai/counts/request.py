"""Requests that count a prompt, as vLLM and OpenAI have them, and their answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.openai.chat.request import chat_steps
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.counts.bodies import (
    INPUT_TOKENS_NEUTRAL,
    NEUTRAL_OF_TEXT,
    TOKENIZE_NEUTRAL,
    InputTokensBody,
    TokenizeBody,
)
from services.edge.domain.openai.parameters import refuse_unsupported
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.responses.items import message_steps
from services.edge.domain.openai.responses.parameters import NEUTRAL_IN_REASONING
from services.edge.domain.openai.responses.ports import ItemSeal
from services.edge.domain.openai.responses.references import resolved_steps
from services.edge.domain.openai.responses.tools import function_steps, functions_of, named_in_request
from services.edge.domain.openai.thinking import switch_as_sent, template_arguments
from services.edge.domain.ports import TokenCount
from services.edge.domain.tools import tool_tokens_upper_bound
from services.kernel.steps import Steps, finished

# Half a millisecond.
IDS_PER_PART: Final = 4096
_BYTES_PER_ID: Final = 4
# What of a chat is a part of its prompt, or says how that is rendered.
_OF_CHAT: Final = ("messages", *NEUTRAL_OF_TEXT)


@dataclass(frozen=True, slots=True)
class CountRequest:
    """A prompt to count; `returns_ids` where the answer lists its tokens.

    `tool_places` are the places of its functions among the tools of an input, None where it is no input;
    `names_as_sent` are the request's own names for what a replica refuses by others.
    """

    generation: GenerationRequest
    returns_ids: bool = False
    tool_places: tuple[int, ...] | None = None
    # Tools that were left out.
    without_effect: int = 0
    names_as_sent: Mapping[str, str] = field(default_factory=dict)

    def named_as_sent(self, name: str) -> str:
        """Returns the request's own name for what the other processes refuse by another."""
        name = self.names_as_sent.get(name, name)
        if self.tool_places is not None:
            return named_in_request(name, self.tool_places)
        # The router's word for whatever is too long.
        return "prompt" if name == "messages" and self.generation.prompt is not None else name

    @property
    def answer_bytes(self) -> int:
        """How many bytes the ids of its tokens have at most, but for letters of several bytes each."""
        if not self.returns_ids:
            return 0
        asked = self.generation
        texts = [message.text for message in asked.messages] if asked.prompt is None else [asked.prompt]
        calls = tuple(call for message in asked.messages for call in message.tool_calls)
        return (sum(map(len, texts)) + tool_tokens_upper_bound(asked.tools, calls)) * _BYTES_PER_ID


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
    if is_text:
        refuse_unsupported(value, NEUTRAL_OF_TEXT)
        request = GenerationRequest(body.model or "", (), prompt=body.prompt)
        return CountRequest(request, returns_ids=True)
    chat = yield from chat_steps({name: value[name] for name in _OF_CHAT if name in value})
    request = replace(chat.generation, model=body.model or "")
    names = switch_as_sent(body.chat_template_kwargs, body.enable_thinking)
    return CountRequest(request, returns_ids=True, names_as_sent=names)


def parse_input_tokens(value: object) -> CountRequest:
    """Returns what `input_tokens_steps` does, at once."""
    return finished(input_tokens_steps(value))


def input_tokens_steps(value: object, seal: ItemSeal | None = None) -> Steps[CountRequest]:
    """Returns what a body of `responses.input_tokens` wants counted; as `response_steps`."""
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, INPUT_TOKENS_NEUTRAL)
    body = converted(value, InputTokensBody)
    yield
    refuse_unsupported(value.get("reasoning") or {}, NEUTRAL_IN_REASONING, "reasoning.")
    places, functions = functions_of(body.tools)
    items = yield from resolved_steps(body.input, seal)
    messages = yield from message_steps(body.instructions, items)
    yield
    request = GenerationRequest(
        body.model or "",
        messages,
        tools=(yield from function_steps(functions, places, body.tool_choice)),
        reasoning_effort=(body.reasoning.effort or "") if body.reasoning else "",
        template_arguments=template_arguments(body.chat_template_kwargs, body.enable_thinking),
    )
    return CountRequest(
        request,
        tool_places=places,
        without_effect=len(body.tools or ()) - len(places),
        names_as_sent=switch_as_sent(body.chat_template_kwargs, body.enable_thinking),
    )


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
