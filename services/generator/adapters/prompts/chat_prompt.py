"""Chats become token ids by the model's own template; text that spells control tokens stays text."""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from jinja2.exceptions import TemplateError

from services.generator.adapters.prompts.messages import definition_of, message_of
from services.generator.adapters.prompts.plain_text import Messages, PlainText, Tokenizer, encode_up_to
from services.generator.domain.closed_schema import is_object
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text, text_bytes
from services.generator.domain.template import Value
from services.kernel.errors import ComptoirError, Reason

_SHAPES_KEPT: Final = 256
# What takes less than half a millisecond: a thread would cost a short prompt more than its tokens do.
_SHORT_BYTES: Final = 1024
_BYTES_PER_TURN: Final = 32

Converse = Callable[[Messages], Messages]
# Who speaks in each turn, and in how many parts, 0 for a text; and what the template is told.
_Shape = tuple[tuple[tuple[Role, int], ...], tuple[tuple[str, type, Value], ...]]


class ChatPrompt:
    """Renders and tokenizes.

    The whole prompt is tokenized at once, as the model was trained. If its control
    tokens are then not exactly those of the template, the text had a part in them, and
    template and text are tokenized apart.
    """

    def __init__(self, tokenizer: Tokenizer, converse: Converse, context_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._context_tokens = context_tokens
        self._converse = converse
        self._plain = PlainText(tokenizer)
        self._template_controls = lru_cache(_SHAPES_KEPT)(self._controls_of_template)

    def token_ids(self, chat: Chat) -> Sequence[int]:
        """Returns the prompt's token ids; raises REQUEST_INVALID if the template refuses the roles.

        Of more than the context holds only the number is true.
        """
        ids = self.ordinary_ids(chat)
        return self._tokenize_apart(chat) if ids is None else ids

    def ordinary_ids(self, chat: Chat) -> Sequence[int] | None:
        """Returns the token ids of a prompt whose text spells no control token, None for any other.

        Raises as `token_ids`, which takes up to ten times as long for the others.
        """
        self._check_tools(chat)
        rendered = self._render(chat)
        ids = encode_up_to(self._tokenizer, rendered, self._context_tokens, add_special_tokens=False)
        if len(ids) >= self._context_tokens:
            # Apart it is longer; it is refused for its length either way.
            return ids
        return ids if self._plain.controls(ids) == self._controls_around(chat) else None

    def _tokenize_apart(self, chat: Chat) -> list[int]:
        # Nobody can guess the mark, so no text can hold it.
        mark = secrets.token_hex(16)
        texts: list[str] = []

        def marked(text: str) -> str:
            # Nothing stays nothing: a template, or vLLM, may leave an empty text out.
            texts.append(text)
            return f"{mark}{len(texts) - 1:08d}" if text else ""

        rendered = self._render(_with_texts(chat, marked))
        template_first, *parts = re.split(f"{mark}([0-9]{{8}})", rendered)
        ids = self._plain.encode(template_first)
        for index, template_part in zip(parts[::2], parts[1::2], strict=True):
            ids += self._plain.token_ids(texts[int(index)], field="messages")
            ids += self._plain.encode(template_part)
        return ids

    def _check_tools(self, chat: Chat) -> None:
        """Refuses what is said of tools and spells a control token: it stands in the template's own text."""
        told = () if chat.tools is None else chat.tools.texts
        for field, texts in (("tools", told), ("messages", chat.call_texts)):
            if any(self._plain.spells_controls(_as_rendered(text)) for text in texts):
                raise ComptoirError(Reason.REQUEST_INVALID, field=field)
        if not all(is_object(call.arguments) for turn in chat.turns for call in turn.tool_calls):
            raise ComptoirError(Reason.REQUEST_INVALID, field="messages")

    def _controls_around(self, chat: Chat) -> list[int]:
        """Returns the control tokens of the template around the chat's texts."""
        if chat.tools is None and not any(chat.call_texts):
            return self._template_controls(_shape_of(chat))
        # Nothing of a caller may stay, and tools are a caller's.
        return self._plain.controls(self._plain.encode(self._render(_with_texts(chat, lambda _: "a"))))

    def _controls_of_template(self, shape: _Shape) -> list[int]:
        speakers, told = shape
        turns = [ChatTurn(role, "a", ("a",) * parts) for role, parts in speakers]
        chat = Chat(turns).told({name: value for name, _, value in told})
        return self._plain.controls(self._plain.encode(self._render(chat)))

    def _render(self, chat: Chat) -> str:
        conversation = self._converse([message_of(turn) for turn in chat.turns])
        tools = None if chat.tools is None else [definition_of(tool) for tool in chat.tools.tools]
        try:
            return self._tokenizer.apply_chat_template(
                conversation,
                tokenize=False,
                add_generation_prompt=True,
                tools=tools,
                **chat.options.arguments,
            )
        except TemplateError:
            raise ComptoirError(Reason.REQUEST_INVALID, field="messages") from None


def is_short(prompt: Chat | Text) -> bool:
    """Returns True if the prompt may be tokenized in the event loop, while all streams wait for it."""
    turns = len(prompt.turns) if isinstance(prompt, Chat) else 0
    return text_bytes(prompt) + _BYTES_PER_TURN * turns <= _SHORT_BYTES


def _shape_of(chat: Chat) -> _Shape:
    told = tuple((name, type(value), value) for name, value in sorted(chat.options.arguments.items()))
    return tuple((turn.role, len(turn.parts)) for turn in chat.turns), told


def _with_texts(chat: Chat, change: Callable[[str], str]) -> Chat:
    return replace(chat, turns=[_with_text(turn, change) for turn in chat.turns])


def _with_text(turn: ChatTurn, change: Callable[[str], str]) -> ChatTurn:
    if turn.parts:
        return replace(turn, parts=tuple(map(change, turn.parts)))
    return replace(turn, text=change(turn.text))


def _as_rendered(text: str) -> str:
    """Returns a text as a template may write it: JSON is read, and its escapes with it."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
