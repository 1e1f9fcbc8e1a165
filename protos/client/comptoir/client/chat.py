"""What a caller asks for, as the messages that say it to the router and to a replica."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Required, TypedDict

from comptoir.client.needs import needs_of
from comptoir.client.prefixes import PrefixDigests
from comptoir.generator.v1.generator_pb2 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    ChatMessage,
    EmbedInput,
    GenerateRequest,
    Prompt,
    Role,
    Sampling,
    Structure,
    TemplateOptions,
    TokenIds,
    ToolCall,
    Tools,
)
from comptoir.router.v1.router_pb2 import (
    ENDPOINT_DIRECT,
    AdmitRequest,
    AdmitResponse,
    NextOfferRequest,
    Priority,
    ReleaseRequest,
    TicketOffer,
)

REQUEST_ID_KEY: Final = "x-request-id"
# What a chat template may add around one message, and to the whole chat: `AdmitRequest` says why.
_TEMPLATE_TOKENS_PER_MESSAGE: Final = 16
_TEMPLATE_TOKENS_PER_CHAT: Final = 64
_TOKENS_PER_TOOL_BYTE: Final = 3
_TOKENS_AROUND_A_TOOL: Final = 64
# What a tokenizer puts around a text that has no template.
_TOKENS_AROUND_A_TEXT: Final = 4
# What a replica says in one message, less what stands around its texts.
_MOST_ANSWER_BYTES: Final = 3 * 1024 * 1024
# More than texts have: a longest token has 64 bytes and more, and no text is made of those alone.
_BYTES_PER_TOKEN: Final = 20
_BYTES_PER_LOGPROB: Final = 40
# As long as a replica works on one request, unless its operator set another time.
_TIMEOUT_SECONDS: Final = 600.0
_LOW_64_BITS: Final = 2**64 - 1


class Chat(TypedDict, total=False):
    """A chat or, in its place, a prompt to continue.

    `prompt`: a text that gets no chat template, or token ids of the model.
    `is_prompt_echoed`: whether each choice begins with the prompt's text; left out, none does.
    `tools`: functions that the model may call in a chat; left out, it calls none.
    `template`: what the chat template is told, how much the model reasons among it; left out, nothing.
    `structure`: what the answer must be; left out, it is any text.
    `max_output_tokens`: the most tokens of the answer; left out, as many as fit. What is reserved of the
    key's quota follows from it, so name as few as will do.
    `sampling`: how tokens are chosen; left out, as the engine does by itself.
    `returns_token_ids`: whether deltas and choices have the ids of their tokens; left out, none has.
    `priority`: the scheduling class; left out, the default one.
    `request_id`: the identity that stands in every event of the request; left out, a random one.
    `timeout_seconds`: bounds admission and generation together; left out, 600 s.
    """

    model: Required[str]
    messages: Sequence[ChatMessage]
    prompt: str | Sequence[int]
    is_prompt_echoed: bool
    tools: Tools
    template: TemplateOptions
    structure: Structure
    max_output_tokens: int
    sampling: Sampling
    returns_token_ids: bool
    priority: Priority.ValueType
    request_id: uuid.UUID
    timeout_seconds: float


class Deadline:
    """A moment after which nobody waits any more."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at = now() + seconds

    @property
    def left_seconds(self) -> float:
        """The time that is left; never negative."""
        return max(0.0, self._at - self._now())


class Admissible:
    """One request as the router is asked for it, with its identity and, once it is begun, its deadline."""

    def __init__(
        self, admit: AdmitRequest, request_id: uuid.UUID | None, timeout_seconds: float | None
    ) -> None:
        self.request_id = request_id or uuid.uuid4()
        self._timeout_seconds = _TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds
        self._deadline = Deadline(self._timeout_seconds)
        self._admit = admit
        admit.request_id_high = self.request_id.int >> 64
        admit.request_id_low = self.request_id.int & _LOW_64_BITS

    @property
    def metadata(self) -> tuple[tuple[str, str]]:
        """What puts the request's identity into log lines."""
        return ((REQUEST_ID_KEY, self.request_id.hex),)

    @property
    def needs(self) -> int:
        """What it asks of its replica's engine, a sum of EngineFeature."""
        return self._admit.needs

    @property
    def left_seconds(self) -> float:
        """The time that is left for it."""
        return self._deadline.left_seconds

    def begin(self) -> None:
        """Lets its time run from now on."""
        self._deadline = Deadline(self._timeout_seconds)

    def admit_request(self, api_key: str) -> AdmitRequest:
        """Returns what the router is asked."""
        request = AdmitRequest(api_key=api_key)
        request.MergeFrom(self._admit)
        return request


class Order(Admissible):
    """A chat or a prompt as one request; raises ValueError unless there is one of both."""

    def __init__(self, chat: Chat, *, is_streamed: bool, prefixes: PrefixDigests | None = None) -> None:
        sampling = chat.get("sampling", Sampling())
        messages, prompt = chat.get("messages", ()), _prompt(chat)
        if bool(messages) is (prompt is not None):
            raise ValueError("a request has messages or a prompt")
        self._generate = GenerateRequest(
            messages=messages,
            prompt=prompt,
            sampling=sampling,
            is_streamed=is_streamed,
            structure=chat.get("structure"),
            tools=chat.get("tools"),
            template=chat.get("template"),
            returns_token_ids=chat.get("returns_token_ids", False),
        )
        admit = AdmitRequest(
            model=chat["model"],
            prompt_tokens_upper_bound=(
                prompt_tokens_upper_bound(messages) + tool_tokens_upper_bound(messages, chat.get("tools"))
                if prompt is None
                else tokens_upper_bound(prompt)
            ),
            max_output_tokens=chat.get("max_output_tokens", sampling.max_output_tokens),
            choices=sampling.n,
            priority=chat.get("priority", Priority.PRIORITY_UNSPECIFIED),
            prefix_digests=() if prefixes is None else prefixes.of(self._generate),
            needs=needs_of(self._generate),
        )
        super().__init__(admit, chat.get("request_id"), chat.get("timeout_seconds"))

    def is_one_message(self, max_output_tokens: int) -> bool:
        """Whether a whole answer is wanted, and one of as many tokens is no larger than a message may be."""
        sampling, token_bytes = self._generate.sampling, _BYTES_PER_TOKEN
        if sampling.HasField("logprobs"):
            token_bytes += _BYTES_PER_LOGPROB * (1 + sampling.logprobs)
        choice_bytes = max_output_tokens * token_bytes + self._echo_bytes
        return not self._generate.is_streamed and max(1, sampling.n) * choice_bytes <= _MOST_ANSWER_BYTES

    @property
    def _echo_bytes(self) -> int:
        """The bytes of the prompt that each choice begins with."""
        prompt = self._generate.prompt
        if not prompt.is_echoed:
            return 0
        return len(prompt.text.encode()) + len(prompt.token_ids.ids) * _BYTES_PER_TOKEN

    def generate_request(self, offer: TicketOffer) -> GenerateRequest:
        """Returns what the replica of `offer` is asked; its ticket holds the most tokens of the answer."""
        request = GenerateRequest(ticket=offer.ticket)
        request.MergeFrom(self._generate)
        return request


def next_offer_request(
    api_key: str, admitted: AdmitResponse, order: Admissible, *, is_hedge: bool = False
) -> NextOfferRequest:
    """Returns what asks for another ticket of an admission, as a hedge where the replica says nothing."""
    return NextOfferRequest(
        is_hedge=is_hedge,
        api_key=api_key,
        lease_id_high=admitted.lease_id_high,
        lease_id_low=admitted.lease_id_low,
        endpoint=ENDPOINT_DIRECT,
        needs=order.needs,
    )


def release_request(admitted: AdmitResponse) -> ReleaseRequest:
    """Returns what gives back the lease of an admission."""
    return ReleaseRequest(lease_id_high=admitted.lease_id_high, lease_id_low=admitted.lease_id_low)


def prompt_tokens_upper_bound(messages: Iterable[ChatMessage]) -> int:
    """Returns what no byte-level tokenizer exceeds: a token per byte of the messages, and the template's."""
    bound = _TEMPLATE_TOKENS_PER_CHAT
    for message in messages:
        texts = (message.text, "\n".join(message.parts))
        bound += max(len(text.encode()) for text in texts) + _TEMPLATE_TOKENS_PER_MESSAGE
    return bound


def tool_tokens_upper_bound(messages: Iterable[ChatMessage], tools: Tools | None) -> int:
    """Returns the most tokens of what is said of tools: templates write it as JSON, in a way of their own."""
    said = [(tool.name, tool.description, tool.parameters_schema) for tool in tools.tools] if tools else []
    calls = (call for message in messages for call in message.tool_calls)
    said += [(call.call_id, call.name, call.arguments) for call in calls]
    text_bytes = sum(len(text.encode()) for texts in said for text in texts)
    return _TOKENS_PER_TOOL_BYTE * text_bytes + _TOKENS_AROUND_A_TOOL * len(said)


def _prompt(chat: Chat) -> Prompt | None:
    prompt, is_echoed = chat.get("prompt"), chat.get("is_prompt_echoed", False)
    if prompt is None:
        return None
    if isinstance(prompt, str):
        return Prompt(text=prompt, is_echoed=is_echoed)
    return Prompt(token_ids=TokenIds(ids=prompt), is_echoed=is_echoed)


def tokens_upper_bound(prompt: Prompt | EmbedInput) -> int:
    """Returns as many tokens as there are or, of a text, as a byte-level tokenizer can make."""
    if prompt.HasField("text"):
        return len(prompt.text.encode()) + _TOKENS_AROUND_A_TEXT
    return len(prompt.token_ids.ids)


def system(*parts: str) -> ChatMessage:
    """Returns instructions by the operator of the application."""
    return _message(ROLE_SYSTEM, parts)


def user(*parts: str) -> ChatMessage:
    """Returns a turn of the person, in one part or several."""
    return _message(ROLE_USER, parts)


def assistant(*parts: str, tool_calls: Sequence[ToolCall] = ()) -> ChatMessage:
    """Returns a turn of the model, with what it called."""
    message = _message(ROLE_ASSISTANT, parts)
    message.tool_calls.extend(tool_calls)
    return message


def tool(call: ToolCall, *parts: str) -> ChatMessage:
    """Returns what a call brought."""
    message = _message(ROLE_TOOL, parts)
    message.tool_call_id = call.call_id
    return message


def _message(role: Role.ValueType, parts: tuple[str, ...]) -> ChatMessage:
    # The text beside the parts is for replicas that are older than parts.
    return ChatMessage(role=role, text="\n".join(parts), parts=parts if len(parts) > 1 else ())
