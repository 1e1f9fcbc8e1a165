"""What a caller wants counted, as the messages that say it to the router and to a replica."""

import uuid
from collections.abc import Sequence
from typing import Final, Required, TypedDict

from comptoir.client.chat import (
    REQUEST_ID_KEY,
    Deadline,
    prompt_tokens_upper_bound,
    tool_tokens_upper_bound,
)
from comptoir.generator.v1.generator_pb2 import ChatMessage, CountTokensRequest, TemplateOptions, Tools
from comptoir.router.v1.router_pb2 import AdmitCountRequest, TicketOffer

_TIMEOUT_SECONDS: Final = 30.0
_LOW_64_BITS: Final = 2**64 - 1


class Countable(TypedDict, total=False):
    """A prompt to count: `messages`, as the model's chat template renders them, or `text` as it is.

    `tools`: functions that the template tells of; left out, none.
    `template`: what the template is told besides; left out, nothing.
    `request_id`: the identity of the request; left out, a random one.
    `timeout_seconds`: bounds it as a whole; left out, 30 s.
    """

    model: Required[str]
    messages: Sequence[ChatMessage]
    text: str
    tools: Tools
    template: TemplateOptions
    request_id: uuid.UUID
    timeout_seconds: float


class CountOrder:
    """A prompt as one request, with its identity and its deadline."""

    def __init__(self, prompt: Countable) -> None:
        request_id = prompt.get("request_id") or uuid.uuid4()
        self._deadline = Deadline(prompt.get("timeout_seconds", _TIMEOUT_SECONDS))
        tools = prompt.get("tools")
        self._count = CountTokensRequest(
            messages=prompt.get("messages", ()),
            text=prompt.get("text"),
            tools=tools,
            template=prompt.get("template"),
        )
        # As of a chat: what a tokenizer puts around a text is less than what a template does.
        bound = prompt_tokens_upper_bound(self._count.messages) + len(self._count.text.encode())
        bound += tool_tokens_upper_bound(self._count.messages, tools)
        self._admit = AdmitCountRequest(
            model=prompt["model"],
            prompt_tokens_upper_bound=bound,
            request_id_high=request_id.int >> 64,
            request_id_low=request_id.int & _LOW_64_BITS,
        )
        # What puts the request's identity into log lines.
        self.metadata = ((REQUEST_ID_KEY, request_id.hex),)

    @property
    def left_seconds(self) -> float:
        """The time that is left for it."""
        return self._deadline.left_seconds

    def admit_request(self, api_key: str) -> AdmitCountRequest:
        """Returns what the router is asked."""
        request = AdmitCountRequest(api_key=api_key)
        request.MergeFrom(self._admit)
        return request

    def count_request(self, offer: TicketOffer) -> CountTokensRequest:
        """Returns what the replica of `offer` is asked."""
        request = CountTokensRequest(ticket=offer.ticket)
        request.MergeFrom(self._count)
        return request
