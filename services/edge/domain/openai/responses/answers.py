"""The JSON of a response: one object, or the events of a stream."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from services.edge.domain.generation import Counts, Delta
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.responses.output import (
    IN_PROGRESS,
    INCOMPLETE,
    ItemKind,
    Output,
    OutputItem,
    OutputOptions,
)
from services.edge.domain.openai.streams import EVENT_END, event_start

_CUT: Final = '{"reason":"max_output_tokens"}'
# An item is in the output, and when it ends in three events at once.
_TIMES_HELD: Final = 4
# What the event of a failure repeats of the output, at most.
_REPEATED_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What is the same in every object of one answer; `echoed` are members that repeat the request."""

    request_hex: str
    created_seconds: int
    echoed: str
    # Says which tier answers, once that is known; None where nobody asked.
    tier: Callable[[], str] | None = None
    output: OutputOptions = field(default_factory=OutputOptions)

    def around(
        self, model_name: str, status: str, *, usage: str = "null", error: str = "null"
    ) -> tuple[bytes, bytes]:
        """Returns what stands before and behind the items of the object; `usage` and `error` are JSON."""
        tier = "" if self.tier is None else f'"service_tier":"{self.tier()}",'
        details = _CUT if status == INCOMPLETE else "null"
        before = (
            f'{{"id":"resp_{self.request_hex}","object":"response","created_at":{self.created_seconds},'
            f'"status":"{status}","background":false,"error":{error},"incomplete_details":{details},'
            f'"instructions":null,"max_tool_calls":null,"metadata":{{}},"model":{quoted(model_name)},'
            f'"output":['
        )
        behind = (
            f'],"previous_response_id":null,{tier}'
            f'"store":false,"truncation":"disabled","usage":{usage},{self.echoed}}}'
        )
        return before.encode(), behind.encode()


class WholeResponse:
    """A `response`, put together from its deltas."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._output = Output(head.request_hex, head.output)

    @property
    def held_bytes(self) -> int:
        """How many bytes it holds."""
        return self._output.held_bytes

    def add(self, delta: Delta) -> None:
        """Takes one delta."""
        self._output.add(delta)

    def parts(self, counts: Counts, model_name: str) -> Iterator[bytes | bytearray]:
        """Yields the object, piece by piece."""
        self._output.end()
        before, behind = self._head.around(model_name, self._output.status, usage=_usage_json(counts))
        yield before
        yield from self._output.parts()
        yield behind


class ResponseEventWriter:
    """The events of a streamed answer, numbered through all of them."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._model_name = ""
        self._sequence_number = 0
        self._output = Output(
            head.request_hex,
            head.output,
            begun=self._begin,
            said=self._say,
            ended=self._end,
            tells_ids_first=True,
        )
        # Of the delta that is being written.
        self._frames: list[bytes | bytearray] = []
        # What is the same in every piece of the open item's text.
        self._piece_head, self._piece_end = "", ""

    @property
    def held_bytes(self) -> int:
        """How many bytes it holds, and its client may not have read."""
        return _TIMES_HELD * self._output.held_bytes

    def opening(self, model_name: str) -> bytes:
        """Returns the events that a response was made, and is under way."""
        self._model_name = model_name
        response = b'"response":' + b"".join(self._head.around(model_name, IN_PROGRESS))
        return self._event("response.created", response) + self._event("response.in_progress", response)

    def frames(self, delta: Delta) -> bytes:
        """Returns the events of one delta, and those of items that it begins and ends."""
        self._output.add(delta)
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames

    def closing(self, counts: Counts) -> Iterator[bytes | bytearray]:
        """Yields the event with the whole response, piece by piece."""
        self._output.end()
        yield from self._frames
        status = self._output.status
        before, behind = self._head.around(self._model_name, status, usage=_usage_json(counts))
        response = chain((b'"response":', before), self._output.parts(), (behind,))
        yield from self._event_parts(f"response.{status}", response)

    def failure(self, error_body: bytes) -> bytes:
        """Returns the events of a failure: that of the response, if it had begun, and the error.

        SDKs raise on the second, whose members stand in `error` for some of them and beside it for others.
        A long output is not repeated: its client has read it.
        """
        error = json.loads(error_body)["error"]
        frames = b""
        if self._model_name:
            told = {"code": _failure_code(error), "message": error["message"]}
            self._output.break_off()
            before, behind = self._head.around(self._model_name, "failed", error=_json(told))
            items = self._output.parts() if self._output.held_bytes <= _REPEATED_BYTES else ()
            response = chain((b'"response":', before), items, (behind,))
            frames = b"".join(self._event_parts("response.failed", response))
        beside = {name: error[name] for name in ("code", "message", "param")}
        members = f"{_json(beside)[1:-1]},{_json({'error': error})[1:-1]}"
        return frames + self._event("error", members.encode())

    def _event(self, kind: str, members: bytes) -> bytes:
        return b"".join(self._event_parts(kind, (members,)))

    def _event_parts(self, kind: str, members: Iterable[bytes | bytearray]) -> Iterator[bytes | bytearray]:
        yield event_start(kind, self._sequence_number)
        self._sequence_number += 1
        yield from members
        yield EVENT_END

    def _add(self, kind: str, *members: str | Iterator[bytes | bytearray]) -> None:
        told = ((each.encode(),) if isinstance(each, str) else each for each in members)
        self._frames += self._event_parts(kind, chain.from_iterable(told))

    def _begin(self, item: OutputItem) -> None:
        place = f'"output_index":{item.index}'
        self._add("response.output_item.added", f'{place},"item":', item.parts())
        if item.is_carrier:
            return
        of_item = f'"item_id":"{item.id}",{place}'
        if item.kind is not ItemKind.CALL:
            part, index = _part_of(item)
            of_item += index
            self._add(f"{part}.added", f'{of_item},"part":', item.content_parts())
        kind = f"response.{_piece_of(item)}.delta"
        self._piece_head = f'event: {kind}\ndata: {{"type":"{kind}",{of_item},"sequence_number":'
        self._piece_end = '","logprobs":[]}\n\n' if item.kind is ItemKind.MESSAGE else '"}\n\n'

    def _say(self, _item: OutputItem, piece: str, logprobs: str) -> None:
        # Runs once per token.
        if not piece and not logprobs:
            return
        end = f'","logprobs":[{logprobs}]}}\n\n' if logprobs else self._piece_end
        frame = f'{self._piece_head}{self._sequence_number},"delta":"{piece}{end}'
        self._sequence_number += 1
        self._frames.append(frame.encode())

    def _end(self, item: OutputItem) -> None:
        place = f'"output_index":{item.index}'
        of_item = f'"item_id":"{item.id}",{place}'
        kind = f"response.{_piece_of(item)}.done"
        if item.is_carrier:
            self._add("response.output_item.done", f'{place},"item":', item.parts())
            return
        if item.kind is ItemKind.CALL:
            # The name is for SDKs of 2025.
            self._add(kind, f'{of_item},"name":{quoted(item.name)},"arguments":', item.text_parts())
        else:
            part, index = _part_of(item)
            of_item += index
            tokens = (',"logprobs":', item.logprobs_parts()) if item.kind is ItemKind.MESSAGE else ()
            self._add(kind, f'{of_item},"text":', item.text_parts(), *tokens)
            self._add(f"{part}.done", f'{of_item},"part":', item.content_parts())
        self._add("response.output_item.done", f'{place},"item":', item.parts())


_PIECES: Final = {
    ItemKind.REASONING: "reasoning_text",
    ItemKind.MESSAGE: "output_text",
    ItemKind.CALL: "function_call_arguments",
}


def _piece_of(item: OutputItem) -> str:
    """Returns what the events of an item's text are named after."""
    return "reasoning_summary_text" if item.is_summary else _PIECES[item.kind]


def _part_of(item: OutputItem) -> tuple[str, str]:
    """Returns the start of the events of an item's one part, and the member that says its place."""
    if item.is_summary:
        return "response.reasoning_summary_part", ',"summary_index":0'
    return "response.content_part", ',"content_index":0'


def _failure_code(error: dict[str, str]) -> str:
    """Returns one of the codes that a failed response may have."""
    if error["code"] == "rate_limit_exceeded":
        return "rate_limit_exceeded"
    return "invalid_prompt" if error["type"] == "invalid_request_error" else "server_error"


def _usage_json(counts: Counts) -> str:
    total = counts.input_tokens + counts.output_tokens
    return (
        f'{{"input_tokens":{counts.input_tokens},'
        f'"input_tokens_details":{{"cached_tokens":{counts.cached_input_tokens},"cache_write_tokens":0}},'
        f'"output_tokens":{counts.output_tokens},"output_tokens_details":'
        f'{{"reasoning_tokens":{counts.reasoning_tokens}}},"total_tokens":{total}}}'
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
