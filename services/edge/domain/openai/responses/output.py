"""The output of a response: its items, which are put together from deltas, and their JSON."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from services.edge.domain.generation import Delta, FinishReason
from services.edge.domain.openai.answers import inner, quoted
from services.edge.domain.openai.logprobs import content_json
from services.edge.domain.openai.pieces import Pieces
from services.edge.domain.openai.responses.ports import BETWEEN, ItemSeal

IN_PROGRESS: Final = "in_progress"
COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"
# Of JSON: a third of what a body may have, and a millisecond.
MOST_SEALED_BYTES: Final = 256 * 1024


class ItemKind(Enum):
    """What an item of the output is, by the beginning of its id."""

    REASONING = "rs"
    MESSAGE = "msg"
    CALL = "fc"


class OutputItem:
    """One item and how far it is; its text is what it says, and of a call its arguments.

    A train of thought `is_summary` where it stands in the item's summary, and not in its content.
    """

    def __init__(
        self, kind: ItemKind, index: int, request_hex: str, delta: Delta, *, is_summary: bool = False
    ) -> None:
        self.kind = kind
        self.is_summary = is_summary and kind is ItemKind.REASONING
        self.index = index
        self.id = f"{kind.value}_{request_hex}_{index}"
        # Once the item has ended: its id, or one that holds what the item says.
        self.final_id = self.id
        # Whether it says nothing, and its id holds the message before it.
        self.is_carrier = False
        self.status = IN_PROGRESS
        piece = delta.tool_call if kind is ItemKind.CALL else None
        self.call_index = None if piece is None else piece.index
        self.call_id = "" if piece is None else piece.call_id
        self.name = "" if piece is None else piece.name
        # As JSON, written as it comes: a long answer has many, and the end is one turn of the loop.
        self._text = Pieces()
        self._tokens = Pieces(b",")

    def holds(self, kind: ItemKind, delta: Delta) -> bool:
        """Returns whether a delta of `kind` says more of this item."""
        piece = delta.tool_call if kind is ItemKind.CALL else None
        return kind is self.kind and self.call_index == (None if piece is None else piece.index)

    def add(self, piece: str, logprobs: str) -> int:
        """Takes more of the text and of its tokens, both as JSON; returns how many bytes more are held."""
        return self._text.add(piece) + self._tokens.add(logprobs)

    def text_parts(self) -> Iterator[bytes | bytearray]:
        """Yields all of the text, as JSON."""
        yield b'"'
        yield from self._text.parts()
        yield b'"'

    def logprobs_parts(self) -> Iterator[bytes | bytearray]:
        """Yields the tokens of the text, as JSON."""
        yield b"["
        yield from self._tokens.parts()
        yield b"]"

    def seal(self, seal: ItemSeal) -> int:
        """Gives the item an id that holds it; returns how many bytes more are held."""
        call = (self.call_id, self.name) if self.kind is ItemKind.CALL else ()
        self.final_id = seal.seal(self.id, BETWEEN.join((*call, self.said_text())))
        return len(self.final_id)

    def carry(self, message: "OutputItem", seal: ItemSeal) -> int:
        """Makes the item the carrier of a message; returns how many bytes more are held."""
        self.id = self.final_id = seal.seal(self.id, BETWEEN.join((message.id, message.said_text())))
        self.is_carrier = True
        return len(self.id)

    @property
    def can_be_sealed(self) -> bool:
        """Whether the text is so short that it can be sealed, and sent back in a body."""
        return sum(map(len, self._text.parts())) <= MOST_SEALED_BYTES

    def said_text(self) -> str:
        """Returns all of the text."""
        text: str = json.loads(b"".join(self.text_parts()))
        return text

    def content_parts(self) -> Iterator[bytes | bytearray]:
        """Yields the one part of the content, or of the summary, as it is by now."""
        kind = "output_text"
        if self.kind is ItemKind.REASONING:
            kind = "summary_text" if self.is_summary else "reasoning_text"
        yield f'{{"type":"{kind}","text":'.encode()
        yield from self.text_parts()
        if self.kind is not ItemKind.REASONING:
            yield b',"annotations":[],"logprobs":'
            yield from self.logprobs_parts()
        yield b"}"

    def parts(self) -> Iterator[bytes | bytearray]:
        """Yields the item as it is by now; while it is in progress, without its content."""
        is_said = self.status != IN_PROGRESS
        item_id = self.final_id if is_said else self.id
        start = f'{{"id":"{item_id}","status":"{self.status}","type":'
        if self.kind is ItemKind.CALL:
            named = f'"call_id":{quoted(self.call_id)},"name":{quoted(self.name)}'
            yield f'{start}"function_call",{named},"arguments":'.encode()
            yield from self.text_parts()
            yield b"}"
            return
        yield f"{start}{self._before_content()}".encode()
        if is_said and not self.is_carrier:
            yield from self.content_parts()
        yield b"]}"

    def _before_content(self) -> str:
        if self.is_summary:
            return '"reasoning","summary":['
        if self.kind is ItemKind.REASONING:
            return '"reasoning","summary":[],"content":['
        return '"message","role":"assistant","content":['


# Told of an item; of an item and what is new of it, text and its tokens, both as JSON without what stands
# around them.
Told: TypeAlias = Callable[[OutputItem], None]
Said: TypeAlias = Callable[[OutputItem, str, str], None]


def _nobody(*_told: object) -> None:
    """Is told, and does nothing."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Whether a train of thought is told, and in its item's summary; and what seals items into their ids."""

    includes_reasoning: bool = True
    is_reasoning_summary: bool = False
    seal: ItemSeal | None = None


_PLAIN: Final = OutputOptions()


class Output:
    """The items of one answer, one after the other; tells `begun`, `said` and `ended` of each as it comes.

    Where it `tells_ids_first`, the id of a message is told before there is a text to seal: a carrier comes
    behind it.
    """

    def __init__(
        self,
        request_hex: str,
        options: OutputOptions = _PLAIN,
        *,
        begun: Told = _nobody,
        said: Said = _nobody,
        ended: Told = _nobody,
        tells_ids_first: bool = False,
    ) -> None:
        self._includes_reasoning = options.includes_reasoning
        self._is_reasoning_summary = options.is_reasoning_summary
        self._seal, self._tells_ids_first = options.seal, tells_ids_first
        self._request_hex = request_hex
        self._begun, self._said, self._ended = begun, said, ended
        self._items: list[OutputItem] = []
        self._open: OutputItem | None = None
        # Tokens that came without anything: of a character that is not whole, or of the mark of a call or of
        # reasoning, which have no logprobs. What comes next says which.
        self._pending: list[str] = []
        self._pending_bytes = 0
        self._item_bytes = 0
        # How the answer ended.
        self.status = COMPLETED

    def add(self, delta: Delta) -> None:
        """Takes one delta, which may say something of several items, and that the answer ended."""
        if delta.reasoning and self._includes_reasoning:
            self._take(ItemKind.REASONING, delta, delta.reasoning, "")
        if delta.text:
            tokens = [*self._pending, content_json(delta.tokens)] if delta.tokens else self._pending
            self._take(ItemKind.MESSAGE, delta, delta.text, ",".join(tokens))
        if delta.tool_call is not None:
            self._take(ItemKind.CALL, delta, delta.tool_call.arguments, "")
        if delta.reasoning or delta.text or delta.tool_call is not None:
            self._forget_pending()
        elif delta.tokens:
            self._pending.append(content_json(delta.tokens))
            self._pending_bytes += len(self._pending[-1])
        if delta.finish is not None:
            self.status = INCOMPLETE if delta.finish is FinishReason.LENGTH else COMPLETED
            self.end()

    def end(self) -> None:
        """Ends the item that is open; an answer that said nothing is a message without text."""
        is_said = self._open is not None and self._open.kind is ItemKind.MESSAGE
        if not self._items or (is_said and self._pending):
            self._take(ItemKind.MESSAGE, Delta(), "", ",".join(self._pending))
        self._forget_pending()
        self._end(self.status)

    def break_off(self) -> None:
        """Leaves the item that is open as it is: nobody is told, and no more comes."""
        if self._open is not None:
            self._open.status = INCOMPLETE
            self._open = None

    @property
    def held_bytes(self) -> int:
        """How many bytes of JSON it holds."""
        return self._item_bytes + self._pending_bytes

    def parts(self) -> Iterator[bytes | bytearray]:
        """Yields all items."""
        for item in self._items:
            if item.index:
                yield b","
            yield from item.parts()

    def _forget_pending(self) -> None:
        self._pending, self._pending_bytes = [], 0

    def _take(self, kind: ItemKind, delta: Delta, text: str, logprobs: str) -> None:
        item = self._open
        if item is None or not item.holds(kind, delta):
            # Only the last one can have been cut.
            self._end(COMPLETED)
            item = self._open = self._new(kind, delta, is_summary=self._is_reasoning_summary)
            self._begun(item)
        piece = inner(text)
        self._item_bytes += item.add(piece, logprobs)
        self._said(item, piece, logprobs)

    def _new(self, kind: ItemKind, delta: Delta, *, is_summary: bool) -> OutputItem:
        item = OutputItem(kind, len(self._items), self._request_hex, delta, is_summary=is_summary)
        self._items.append(item)
        return item

    def _end(self, status: str) -> None:
        item, self._open = self._open, None
        if item is None:
            return
        item.status = status
        is_carried = self._tells_ids_first and item.kind is ItemKind.MESSAGE
        seal = self._seal if item.kind is not ItemKind.REASONING and item.can_be_sealed else None
        if seal is not None and not is_carried:
            self._item_bytes += item.seal(seal)
        self._ended(item)
        if seal is not None and is_carried:
            carrier = self._new(ItemKind.REASONING, Delta(), is_summary=True)
            self._item_bytes += carrier.carry(item, seal)
            self._begun(carrier)
            carrier.status = COMPLETED
            self._ended(carrier)
