"""A generation in the edge's own words: what a replica is asked for, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from services.edge.domain.timeline import Endpoint
from services.edge.domain.tools import ToolCall, Tools, tool_tokens_upper_bound

# What a chat template may add around one message, and to the whole chat, in tokens: many begin with a system
# message of their own, of 20 to 70 tokens.
TEMPLATE_TOKENS_PER_MESSAGE: Final = 16
TEMPLATE_TOKENS_PER_CHAT: Final = 64
# What a tokenizer puts around a text that has no template: its begin, and in few models its end.
TOKENS_AROUND_A_TEXT: Final = 4
# A text, or token ids.
Prompt: TypeAlias = str | tuple[int, ...]
SamplingValue: TypeAlias = float | int | tuple[str, ...] | tuple[int, ...] | Mapping[int, float]


class Priority(Enum):
    """The scheduling classes, best first; the router permits none above the key's."""

    INTERACTIVE = "interactive"
    DEFAULT = "default"
    BATCH = "batch"


class Role(Enum):
    """Who speaks; OpenAI's `developer` is SYSTEM."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; where its content came in several parts, `text` is those, line by line.

    The model's turn may have called tools, and a tool's turn says which call it answers.
    """

    role: Role
    text: str
    parts: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    @classmethod
    def of_parts(cls, role: Role, parts: tuple[str, ...]) -> "Message":
        """Returns the turn whose content came in `parts`; one part is as good as a string."""
        return cls(role, "\n".join(parts), parts if len(parts) > 1 else ())


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer must be: JSON that fits a schema, one of some texts, or what a pattern matches.

    One of them at most; without any the answer is any text.
    """

    json_schema: str = ""
    texts: tuple[str, ...] = ()
    pattern: str = ""


ANY_FORM: Final = Form()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A chat to continue, or a prompt in its place, checked.

    `is_streamed` says that the answer is shown while it is generated.
    0 output tokens leave their number to the ticket. `sampling` is by the names of
    `comptoir.generator.v1.Sampling`; what is not in it is left to the engine.
    """

    model: str
    messages: tuple[Message, ...]
    max_output_tokens: int = 0
    sampling: Mapping[str, SamplingValue] = field(default_factory=dict)
    is_streamed: bool = False
    form: Form = ANY_FORM
    prompt: Prompt | None = None
    # Whether each choice begins with the prompt's text.
    is_prompt_echoed: bool = False
    tools: Tools | None = None
    # In place of a chat: what vectors are asked for, and how many numbers each has, 0 for all.
    inputs: tuple[Prompt, ...] = ()
    dimensions: int = 0
    # How much the model reasons, by OpenAI's word for it; empty leaves it to the model.
    reasoning_effort: str = ""
    # What the model's chat template is told, as far as the catalog permits it.
    template_arguments: Mapping[str, bool | int | str] = field(default_factory=dict)
    priority: Priority = Priority.DEFAULT
    # Which of the prompts of one request it is, from 1; 0 where there is one.
    part: int = 0
    endpoint: Endpoint = Endpoint.CHAT_COMPLETIONS

    def without_text(self) -> "GenerationRequest":
        """Returns what is left to hold once no replica can be asked for it any more."""
        text = {"messages": (), "prompt": None, "form": ANY_FORM, "tools": None, "inputs": ()}
        return replace(self, **text, template_arguments={})  # type: ignore[arg-type] # by their names

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        choices = self.sampling.get("n", 1)
        return choices if isinstance(choices, int) else 1

    @property
    def prompt_tokens_upper_bound(self) -> int:
        """No byte-level tokenizer makes more tokens of this: one per byte, and those that are added."""
        if self.inputs:
            return sum(map(_most_tokens, self.inputs))
        if self.prompt is not None:
            return _most_tokens(self.prompt)
        text_bytes = sum(len(message.text.encode()) for message in self.messages)
        calls = tuple(call for message in self.messages for call in message.tool_calls)
        around = TEMPLATE_TOKENS_PER_MESSAGE * len(self.messages) + TEMPLATE_TOKENS_PER_CHAT
        return text_bytes + around + tool_tokens_upper_bound(self.tools, calls)


def _most_tokens(prompt: Prompt) -> int:
    if isinstance(prompt, str):
        return len(prompt.encode()) + TOKENS_AROUND_A_TEXT
    return len(prompt)


class FinishReason(Enum):
    """Why an answer ended, as OpenAI spells it."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the call of one tool; `name` and `call_id` come with the first piece alone."""

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token by its bytes, which may be a part of a character, with the logarithm of its probability."""

    token: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """A token that came, and the likeliest ones in its place."""

    chosen: TokenLogprob
    likeliest: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of the next inputs, one behind the other: `size` numbers of 32 bits each, least byte first."""

    size: int
    values: bytes


# One is made per token, and a frozen dataclass takes five times as long to make.
class Delta(Struct, frozen=True):
    """What is new of the choice `index` of an answer; texts are appended, and `finish` is the choice's last.

    The text is whole characters, and empty where a character is incomplete. `reasoning` is the model's
    thinking before it answers, which is no part of the text.
    """

    text: str = ""
    finish: FinishReason | None = None
    index: int = 0
    reasoning: str = ""
    tool_call: ToolCallDelta | None = None
    tokens: tuple[TokenChoice, ...] = ()
    vectors: Vectors | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """The tokens of a whole answer."""

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    # Of the output tokens, those of reasoning.
    reasoning_tokens: int = 0
