"""What an engine is to continue: turns of a chat, a text, or the token ids that either is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from services.generator.domain.template import TemplateOptions, Value
from services.generator.domain.tools import Tools
from services.kernel.errors import ComptoirError, Reason


class Role(Enum):
    """Who speaks; the value is the chat template's word for it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool in an earlier turn; its arguments are JSON."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One turn of a chat: a text or, where its content came in several parts, those and no text.

    The model's turn may have called tools, and a tool's turn says which call it answers.
    """

    role: Role
    text: str
    parts: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    @property
    def call_texts(self) -> tuple[str, ...]:
        """What the turn says of calls."""
        called = (text for call in self.tool_calls for text in (call.call_id, call.name, call.arguments))
        return (*called, self.tool_call_id)

    @property
    def texts(self) -> tuple[str, ...]:
        """What the turn says, in one piece or several."""
        return self.parts or (self.text,)


@dataclass(frozen=True, slots=True)
class Chat:
    """Turns that the chat template renders, the tools that it tells of, and what it is told besides."""

    turns: Sequence[ChatTurn]
    tools: Tools | None = None
    options: TemplateOptions = field(default_factory=TemplateOptions)

    def told(self, arguments: Mapping[str, Value]) -> "Chat":
        """Returns the chat whose template is told these arguments and nothing else."""
        return replace(self, options=TemplateOptions(arguments=arguments))

    @property
    def tool_texts(self) -> tuple[str, ...]:
        """All that is said of tools: where they are told of, and where they were called."""
        told = () if self.tools is None else self.tools.texts
        return (*told, *self.call_texts)

    @property
    def call_texts(self) -> tuple[str, ...]:
        """What is said of earlier calls."""
        return tuple(text for turn in self.turns for text in turn.call_texts if text)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to go on with as it is, without a template."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenIds:
    """A prompt as the model reads it: it was rendered and tokenized, or a caller wrote it so."""

    ids: Sequence[int]


Prompt = Chat | Text | TokenIds


def text_bytes(prompt: Prompt) -> int:
    """Returns the size of all texts in UTF-8; token ids have none."""
    tool_texts = prompt.tool_texts if isinstance(prompt, Chat) else ()
    return sum(len(text.encode()) for text in (*texts_of(prompt), *tool_texts))


def texts_of(prompt: Prompt) -> tuple[str, ...]:
    """Returns what is said to the model; token ids say nothing that can be read here."""
    if isinstance(prompt, Chat):
        return tuple(text for turn in prompt.turns for text in turn.texts)
    return (prompt.text,) if isinstance(prompt, Text) else ()


def field_of(prompt: Prompt) -> str:
    """Returns the schema's name of the field in which a caller sent the prompt."""
    return "messages" if isinstance(prompt, Chat) else "prompt"


def check_ids(prompt: TokenIds, vocabulary_tokens: int) -> None:
    """Raises REQUEST_INVALID for no token at all, and for one that the vocabulary does not have.

    A vocabulary of 0 is not known, and then the engine has to say so.
    """
    if not prompt.ids or (vocabulary_tokens and max(prompt.ids) >= vocabulary_tokens):
        raise ComptoirError(Reason.REQUEST_INVALID, field="prompt")
