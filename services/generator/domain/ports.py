"""What a generation needs from the outside: an engine, signatures, and places for what it counted."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.generator.domain.load import LoadSample
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Counts, TerminalEvent
from services.generator.domain.ticket import Claims

Sleep = Callable[[float], Awaitable[None]]


class Role(Enum):
    """Who speaks; the value is the chat template's word for it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One turn of a chat: a text or, where its content came in several parts, those and no text."""

    role: Role
    text: str
    parts: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What the turn says, in one piece or several."""
        return self.parts or (self.text,)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can hold; 0 where it does not say."""

    context_tokens: int
    kv_block_tokens: int
    kv_blocks: int


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One request as an engine takes it."""

    request_id: str
    input_ids: Sequence[int]
    sampling: Sampling
    max_output_tokens: int
    priority: int
    cache_salt: str


class EngineFinish(Enum):
    """Why an engine ended a request."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


@dataclass(slots=True)
class Step:
    """New output of one request: whole characters, and the tokens since the step before.

    Waits are the engine's own differences, in seconds; 0 until it knows them.
    """

    text: str
    output_tokens: int
    finish: EngineFinish | None = None
    cached_input_tokens: int = 0
    queue_seconds: float = 0.0
    prefill_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """An engine's own numbers; `age_seconds` says how long ago it gave them. Totals only grow.

    An engine that holds no request has no old numbers: that nothing runs is known now.
    """

    running_requests: int
    waiting_requests: int
    kv_usage: float
    age_seconds: float
    output_tokens_total: int
    preempted_requests_total: int


class EngineFailedError(Exception):
    """The engine is dead or hangs; no request of this process can succeed any more."""


class RequestFailedError(Exception):
    """The engine failed this one request and lives on."""


class CallerGoneError(Exception):
    """What was to be sent cannot reach the caller."""


class Engine(Protocol):
    """Makes tokens. One engine serves one model in one process."""

    async def start(self) -> None:
        """Loads the model; raises EngineFailedError if it cannot."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Known once the engine has started."""
        ...

    async def tokenize_chat(self, turns: Sequence[ChatTurn]) -> Sequence[int]:
        """The prompt's token ids; text that spells control tokens stays text.

        Raises ComptoirError(REQUEST_INVALID) if the chat template refuses the roles.
        """
        ...

    def generate(self, request: EngineRequest) -> AsyncGenerator[Step, None]:
        """Steps until one has a `finish`; closing the iterator frees the engine.

        Steps that the caller is slow to take are merged. Raises EngineFailedError,
        RequestFailedError, and ComptoirError where the engine refuses the request.
        """
        ...

    async def abort(self, request_id: str) -> None:
        """Ends a request wherever it is; does nothing for an unknown one."""
        ...

    def load(self) -> EngineLoad:
        """How busy it is, from memory."""
        ...

    def unfinished_requests(self) -> int:
        """Requests that the engine holds; exact."""
        ...

    async def check_health(self) -> None:
        """Raises EngineFailedError if the engine is dead."""
        ...

    def shutdown(self) -> None:
        """Stops; blocks, so call it in a thread, and only when no request is left."""
        ...


class Signatures(Protocol):
    """Checks the router's signatures."""

    def is_valid(self, claims: bytes, signature: bytes, signing_key_number: int) -> bool:
        """True if the numbered key signed exactly these claims."""
        ...


class EventRefusedError(Exception):
    """The sink will never take this event."""


class UsageSink(Protocol):
    """Makes count-only events durable."""

    async def record(self, event: TerminalEvent) -> None:
        """Returns once the event is durable; safe to repeat.

        Raises ComptoirError if it is not durable in time, EventRefusedError if it never will be.
        """
        ...

    async def record_load(self, sample: LoadSample) -> None:
        """Returns once the sample is durable; raises as `record` does."""
        ...


class Settlements(Protocol):
    """Tells the router which tickets were accepted, and what their requests really used."""

    def accept(self, claims: Claims) -> None:
        """Takes a ticket that was accepted; it is told until it is settled."""
        ...

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        """Takes the settlement of a used ticket at once and delivers it until the router has confirmed it.

        `is_unserved` says that the caller may still use its next ticket of the same lease.
        """
        ...
