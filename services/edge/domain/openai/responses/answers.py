"""The JSON of a response: one object, or the events of a stream."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.edge.domain.generation import Counts, Delta
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.responses.output import (
    IN_PROGRESS,
    INCOMPLETE,
    ItemKind,
    Output,
    OutputItem,
)
from services.edge.domain.openai.streams import event_frame

_CUT: Final = '{"reason":"max_output_tokens"}'


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What is the same in every object of one answer; `echoed` are members that repeat the request."""

    request_hex: str
    created_seconds: int
    echoed: str
    # Says which tier answers, once that is known; None where nobody asked.
    tier: Callable[[], str] | None = None
    includes_reasoning: bool = True
    # A train of thought stands in the summary of its item.
    is_reasoning_summary: bool = False

    def json(
        self, model_name: str, status: str, output: str, *, usage: str = "null", error: str = "null"
    ) -> str:
        """Returns the object, with `output`, `usage` and `error` as JSON."""
        tier = "" if self.tier is None else f'"service_tier":"{self.tier()}",'
        details = _CUT if status == INCOMPLETE else "null"
        return (
            f'{{"id":"resp_{self.request_hex}","object":"response","created_at":{self.created_seconds},'
            f'"status":"{status}","background":false,"error":{error},"incomplete_details":{details},'
            f'"instructions":null,"max_tool_calls":null,"metadata":{{}},"model":{quoted(model_name)},'
            f'"output":[{output}],"previous_response_id":null,{tier}'
            f'"store":false,"truncation":"disabled","usage":{usage},{self.echoed}}}'
        )


class WholeResponse:
    """A `response`, put together from its deltas."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._output = Output(
            head.request_hex,
            includes_reasoning=head.includes_reasoning,
            is_reasoning_summary=head.is_reasoning_summary,
        )

    def add(self, delta: Delta) -> None:
        """Takes one delta."""
        self._output.add(delta)

    def body(self, counts: Counts, model_name: str) -> bytes:
        """Returns the object."""
        self._output.end()
        status = self._output.status
        output = self._output.json()
        return self._head.json(model_name, status, output, usage=_usage_json(counts)).encode()


class ResponseEventWriter:
    """The events of a streamed answer, numbered through all of them."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._model_name = ""
        self._sequence_number = 0
        self._output = Output(
            head.request_hex,
            begun=self._begin,
            said=self._say,
            ended=self._end,
            includes_reasoning=head.includes_reasoning,
            is_reasoning_summary=head.is_reasoning_summary,
        )
        # Of the delta that is being written.
        self._frames: list[bytes] = []
        # What is the same in every piece of the open item's text.
        self._piece_head, self._piece_end = "", ""

    def opening(self, model_name: str) -> bytes:
        """Returns the events that a response was made, and is under way."""
        self._model_name = model_name
        response = f'"response":{self._head.json(model_name, IN_PROGRESS, "")}'
        return self._event("response.created", response) + self._event("response.in_progress", response)

    def frames(self, delta: Delta) -> bytes:
        """Returns the events of one delta, and those of items that it begins and ends."""
        self._output.add(delta)
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames

    def closing(self, counts: Counts) -> bytes:
        """Returns the event with the whole response."""
        self._output.end()
        frames = b"".join(self._frames)
        status = self._output.status
        output = self._output.json()
        whole = self._head.json(self._model_name, status, output, usage=_usage_json(counts))
        return frames + self._event(f"response.{status}", f'"response":{whole}')

    def failure(self, error_body: bytes) -> bytes:
        """Returns the events of a failure: that of the response, if it had begun, and the error.

        SDKs raise on the second, whose members stand in `error` for some of them and beside it for others.
        """
        error = json.loads(error_body)["error"]
        frames = b""
        if self._model_name:
            told = {"code": _failure_code(error), "message": error["message"]}
            self._output.break_off()
            failed = self._head.json(self._model_name, "failed", self._output.json(), error=_json(told))
            frames = self._event("response.failed", f'"response":{failed}')
        beside = {name: error[name] for name in ("code", "message", "param")}
        return frames + self._event("error", f"{_json(beside)[1:-1]},{_json({'error': error})[1:-1]}")

    def _event(self, kind: str, members: str) -> bytes:
        frame = event_frame(kind, f'{{"type":"{kind}","sequence_number":{self._sequence_number},{members}}}')
        self._sequence_number += 1
        return frame

    def _add(self, kind: str, members: str) -> None:
        self._frames.append(self._event(kind, members))

    def _begin(self, item: OutputItem) -> None:
        place = f'"output_index":{item.index}'
        self._add("response.output_item.added", f'{place},"item":{item.json()}')
        of_item = f'"item_id":"{item.id}",{place}'
        if item.kind is not ItemKind.CALL:
            part, index = _part_of(item)
            of_item += index
            self._add(f"{part}.added", f'{of_item},"part":{item.part_json()}')
        kind = f"response.{_piece_of(item)}.delta"
        self._piece_head = f'event: {kind}\ndata: {{"type":"{kind}",{of_item},"sequence_number":'
        self._piece_end = ',"logprobs":[]}\n\n' if item.kind is ItemKind.MESSAGE else "}\n\n"

    def _say(self, _item: OutputItem, text: str, logprobs: str) -> None:
        # Runs once per token.
        if not text and not logprobs:
            return
        end = f',"logprobs":[{logprobs}]}}\n\n' if logprobs else self._piece_end
        frame = f'{self._piece_head}{self._sequence_number},"delta":{quoted(text)}{end}'
        self._sequence_number += 1
        self._frames.append(frame.encode())

    def _end(self, item: OutputItem) -> None:
        place = f'"output_index":{item.index}'
        of_item = f'"item_id":"{item.id}",{place}'
        kind = f"response.{_piece_of(item)}.done"
        if item.kind is ItemKind.CALL:
            # The name is for SDKs of 2025.
            self._add(kind, f'{of_item},"name":{quoted(item.name)},"arguments":{item.text_json}')
        else:
            part, index = _part_of(item)
            of_item += index
            logprobs = f',"logprobs":{item.logprobs_json}' if item.kind is ItemKind.MESSAGE else ""
            self._add(kind, f'{of_item},"text":{item.text_json}{logprobs}')
            self._add(f"{part}.done", f'{of_item},"part":{item.part_json()}')
        self._add("response.output_item.done", f'{place},"item":{item.json()}')


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
