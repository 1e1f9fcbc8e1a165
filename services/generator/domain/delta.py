"""What an engine gives of an answer, piece by piece, and how it ends."""

from dataclasses import dataclass
from enum import Enum


class EngineFinish(Enum):
    """Why an engine ended a request."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A piece of a call of a tool: its name with the first piece, more of its arguments with each."""

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token by its bytes and its id, with the logarithm of its probability."""

    token: bytes
    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """A token that came, and the likeliest ones in its place."""

    chosen: TokenLogprob
    likeliest: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """What an engine counted and measured of a request so far; 0 until it knows.

    Waits are the engine's own differences, in seconds. Input tokens are news only where the engine tokenizes.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    queue_seconds: float = 0.0
    prefill_seconds: float = 0.0


@dataclass(slots=True)
class Delta:
    """New output of one choice: whole characters, and the output tokens since the delta before."""

    text: str = ""
    output_tokens: int = 0
    finish: EngineFinish | None = None
    measures: Measures | None = None
    index: int = 0
    reasoning: str = ""
    tool_call: ToolCallPart | None = None
    tokens: tuple[TokenChoice, ...] = ()
    # Those of the output tokens, where the request asks for them.
    token_ids: tuple[int, ...] = ()

    @property
    def is_visible(self) -> bool:
        """True if it holds anything that a caller is shown."""
        return bool(self.text or self.reasoning or self.tool_call or self.tokens or self.token_ids)

    def can_grow_by(self, later: "Delta") -> bool:
        """Returns True if the later delta of the same answer can be told together with this one."""
        return self.index == later.index and self.tool_call is None and later.tool_call is None

    def grow_by(self, later: "Delta") -> None:
        """Takes the later delta in."""
        self.text += later.text
        self.reasoning += later.reasoning
        self.output_tokens += later.output_tokens
        self.tokens += later.tokens
        self.token_ids += later.token_ids
        self.finish = later.finish
