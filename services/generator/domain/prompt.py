"""What an engine is to continue: turns of a chat, or the token ids that they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


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
class Chat:
    """A prompt for an engine that renders and tokenizes by itself, where nobody else can."""

    turns: Sequence[ChatTurn]


@dataclass(frozen=True, slots=True)
class TokenIds:
    """A prompt that was rendered, tokenized and counted."""

    ids: Sequence[int]


Prompt = Chat | TokenIds


def text_bytes(turns: Sequence[ChatTurn]) -> int:
    """Returns the size of all texts in UTF-8."""
    return sum(len(text.encode()) for turn in turns for text in turn.texts)
