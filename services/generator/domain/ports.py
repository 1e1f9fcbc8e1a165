"""What a generation needs from the outside: an engine, signatures, and places for what it counted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from services.generator.domain.delta import Delta
from services.generator.domain.load import LoadSample
from services.generator.domain.prompt import Chat, Prompt, Text
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import FIELD, Structure
from services.generator.domain.terminal_event import Counts, TerminalEvent
from services.generator.domain.ticket import Claims
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity

Sleep = Callable[[float], Awaitable[None]]


class Feature(Flag):
    """What an engine can do beyond answering a chat; a generation asks it for nothing else."""

    # Renders and tokenizes prompts, so that they are counted before anything is generated.
    TOKEN_IDS = auto()
    # Shares cached prefixes only among requests of the same salt.
    PREFIX_SALT = auto()
    # Takes requests from its queue in the order of a number.
    PRIORITY = auto()
    # Generates nothing but what fits a structure.
    STRUCTURE = auto()
    # Makes vectors, and answers nothing.
    EMBEDDING = auto()
    # Tells the ids of the tokens that it makes.
    OUTPUT_TOKEN_IDS = auto()
    # Tells the probability of each token, and the likeliest ones in its place.
    LOGPROBS = auto()
    # Ends a section of reasoning whose budget is used up.
    THINKING_BUDGET = auto()
    # Measures how long each request waited in its queue and for its prompt.
    TIMINGS = auto()
    # Says how many requests run and wait, and how full its cache is.
    LOAD = auto()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, and what it can hold; 0 where it does not say."""

    context_tokens: int
    kv_block_tokens: int
    kv_blocks: int
    features: Feature
    # Token ids are below this.
    vocabulary_tokens: int = 0
    engine_name: str = ""
    engine_version: str = ""
    # How many numbers a vector can have; the first is that of a whole one.
    vector_sizes: Sequence[int] = ()
    accelerator_memory_bytes: int = 0
    # Numbers that it computes in, such as float32; empty where it does not say.
    dtype: str = ""
    # Sampling parameters, by our names, that it cannot be told.
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One request as an engine takes it; without a priority or a salt where it has no use for them."""

    request_id: str
    prompt: Prompt
    sampling: Sampling
    max_output_tokens: int
    priority: int | None = None
    cache_salt: str | None = None
    structure: Structure | None = None
    # Whether deltas come with the ids of their tokens.
    returns_token_ids: bool = False


@dataclass(frozen=True, slots=True)
class VectorRequest:
    """One input to make a vector of, and how many numbers it is to have."""

    request_id: str
    ids: Sequence[int]
    size: int
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """An engine's own numbers; `age_seconds` says how long ago it gave them. Totals only grow.

    An engine that holds no request has no old numbers: that nothing runs is known now. None is what it
    does not say, which is not 0.
    """

    running_requests: int | None
    waiting_requests: int | None
    kv_usage: float | None
    age_seconds: float
    output_tokens_total: int
    preempted_requests_total: int | None


class EngineFailedError(Exception):
    """The engine is dead or hangs; no request of this process can succeed any more."""


class RequestFailedError(Exception):
    """The engine failed this one request and lives on."""


class CallerGoneError(Exception):
    """What was to be sent cannot reach the caller."""


Receive = Callable[[Delta | EngineFailedError | RequestFailedError | ComptoirError], None]


class Engine(Protocol):
    """Makes tokens. One engine serves one model in one process."""

    async def start(self) -> None:
        """Loads the model; raises EngineFailedError if it cannot."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Known once the engine has started."""
        ...

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the prompt's token ids; text that spells control tokens stays text.

        Of more than the context holds only the number is true: nobody may read them.
        Only asked of an engine with TOKEN_IDS. Raises ComptoirError(REQUEST_INVALID) if the chat template
        refuses the roles.
        """
        ...

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids; only asked as `tokenize` is.

        Control tokens have none, or their spelling.
        """
        ...

    async def check_structure(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Raises PARAMETER_UNSUPPORTED for a structure, sent in `field`, that the engine cannot see to.

        Only asked of an engine with STRUCTURE, before it is submitted. It takes a bounded time, and holds up
        other requests of its `tenant` alone.
        """
        ...

    async def embed(self, request: VectorRequest) -> bytes:
        """Returns the vector of an input: numbers of 32 bits, least significant byte first.

        Only asked of an engine with EMBEDDING, which is asked for nothing that is generated. Raises
        EngineFailedError, RequestFailedError, and ComptoirError where the engine refuses the request. If it
        is cancelled, the engine is free.
        """
        ...

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Takes a request in. From then on `receive` is called for each of its deltas, in the event loop.

        All deltas of one step come in one turn of the loop, without a task of their own: `receive` returns at
        once and raises nothing. The last delta has a `finish`; or an EngineFailedError or RequestFailedError
        comes in its place, and nothing after it. Raises those, and ComptoirError where the engine refuses the
        request; `receive` gets nothing then. If it is cancelled, `abort` frees the engine.
        """
        ...

    async def abort(self, request_id: str) -> None:
        """Ends a request wherever it is, with a last delta; does nothing for an unknown one."""
        ...

    def load(self) -> EngineLoad:
        """Returns how busy it is, from memory."""
        ...

    def unfinished_requests(self) -> int:
        """Returns how many requests the engine holds; exact."""
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
        """Returns True if the numbered key signed exactly these claims."""
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


class CallBack(Protocol):
    """What becomes of a lease whose caller gave it back."""

    def __call__(self, lease_id: Identity) -> bool:
        """Has its tickets refused from now on; False where one was accepted here. Safe to repeat."""
        ...


class HoldBack(Protocol):
    """What a drain that an operator wants does."""

    def __call__(self, *, is_wanted: bool) -> None:
        """Begins it, or ends it; safe to repeat."""
        ...
