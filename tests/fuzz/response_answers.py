"""Any deltas as a response: what a strict client reads, streamed and whole, is what was written."""

from typing import Any, Final

from services.edge.domain.generation import Counts, Delta
from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead, WholeResponse
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason
from tests.fuzz.event_streams import named_events, strict_json
from tests.fuzz.slowness import within_bound

_HEAD: Final = ResponseHead("0123456789abcdef" * 2, 1_790_000_000, '"tools":[]')
_ENDS: Final = ("response.completed", "response.incomplete")


def check_response(
    model: str, deltas: list[Delta], comments: list[bytes], counts: Counts, failure: Reason | None
) -> None:
    """Raises where the events of the first choice do not add up to what the whole answer says."""
    said = [(comment, delta) for comment, delta in zip(comments, deltas, strict=True) if delta.index == 0]

    def stream() -> bytes:
        writer = ResponseEventWriter(_HEAD)
        parts = [writer.opening(model)]
        for comment, delta in said:
            parts += [comment, writer.frames(delta)]
        if failure is None:
            parts.append(b"".join(writer.closing(counts)))
        else:
            parts.append(writer.failure(error_json(ComptoirError(failure), Endpoint.RESPONSES)))
        return b"".join(parts)

    events = _events(within_bound(stream))
    answer = WholeResponse(_HEAD)
    for _, delta in said:
        answer.add(delta)
    whole = strict_json(within_bound(lambda: b"".join(answer.parts(counts, model))))
    _check_whole(whole, said, counts)
    if failure is None:
        assert events[-1]["type"] in _ENDS
        assert events[-1]["response"] == whole
        _check_items(events, whole)
    elif model:
        assert events[-2]["response"]["status"] == "failed"
        assert events[-1]["error"]["code"] == failure.row.code


def _events(stream: bytes) -> list[dict[str, Any]]:
    events = []
    for number, (kind, data) in enumerate(named_events(stream)):
        event = strict_json(data)
        assert (event["type"], event["sequence_number"]) == (kind, number)
        events.append(event)
    return events


def _check_whole(whole: dict[str, Any], said: list[tuple[bytes, Delta]], counts: Counts) -> None:
    texts = [item["content"][0]["text"] for item in whole["output"] if item["type"] == "message"]
    assert "".join(texts) == "".join(delta.text for _, delta in said)
    arguments = [item["arguments"] for item in whole["output"] if item["type"] == "function_call"]
    pieces = [delta.tool_call for _, delta in said if delta.tool_call is not None]
    assert "".join(arguments) == "".join(piece.arguments for piece in pieces)
    assert whole["usage"]["total_tokens"] == counts.input_tokens + counts.output_tokens


def _check_items(events: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == whole["output"]
    pieces = ["" for _ in done]
    tokens: list[list[Any]] = [[] for _ in done]
    for event in events:
        if event["type"].endswith(".delta"):
            pieces[event["output_index"]] += event["delta"]
            tokens[event["output_index"]] += event.get("logprobs", ())
    for item, text, logprobs in zip(done, pieces, tokens, strict=True):
        (part,) = item.get("content", [{"text": item.get("arguments"), "logprobs": []}])
        assert part["text"] == text
        assert part["logprobs"] == logprobs
