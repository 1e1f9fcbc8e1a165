"""Any deltas as an answer: what a strict client reads, streamed and whole, is what was written."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, Final

from msgspec import structs

from services.edge.domain.generation import (
    Counts,
    Delta,
    FinishReason,
    TokenChoice,
    TokenLogprob,
    ToolCallDelta,
)
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat
from services.edge.domain.openai.completions.answers import (
    CompletionChunkWriter,
    CompletionHead,
    WholeCompletion,
)
from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.streams import PING, WAITING
from services.edge.server.answers import StreamWriter, WholeAnswer
from services.kernel.errors import ComptoirError, Reason
from tests.fuzz.bytes_source import BytesSource
from tests.fuzz.event_streams import chunks, strict_json
from tests.fuzz.response_answers import check_response
from tests.fuzz.slowness import within_bound

MAX_DELTAS: Final = 400
WORDS: Final = ("\u2028", "\u2029", "\x85", "\r\n", "\n\n", "data: ", '"', "\\", "\x00", "\U0001f98a")
_ID, _CREATED_SECONDS = "0123456789abcdef" * 2, 1_790_000_000
_CHAT: Final = ChatHead(_ID, _CREATED_SECONDS)
_COMPLETION: Final = CompletionHead(_ID, _CREATED_SECONDS)
_LISTS: Final = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
_COMMENTS: Final = (b"", b"", b"", PING, WAITING)
_REASONS: Final = tuple(Reason)


@dataclass(slots=True)
class Said:
    """What one choice says."""

    text: str = ""
    tokens: list[Any] = field(default_factory=list)
    # Id, name and arguments of each call of a tool.
    calls: dict[int, list[str]] = field(default_factory=dict)
    finish: str | None = None


@dataclass(slots=True)
class Case:
    """An answer as a replica gives it; with `failure` it breaks off."""

    model: str
    choices: int
    includes_usage: bool
    counts: Counts
    deltas: list[Delta]
    comments: list[bytes]
    failure: Reason | None


def check(data: bytes) -> None:
    """Raises where a property does not hold for `data`."""
    case = _case(BytesSource(data))
    _check_chat(case)
    _check_completion(case)
    check_response(case.model, case.deltas, case.comments, case.counts, case.failure)


def _case(source: BytesSource) -> Case:
    flags, choices = source.number(4), 1 + source.number(4)
    counts = Counts(source.number(2**16), source.number(2**16), source.number(2**16))
    failure = _REASONS[source.number(len(_REASONS))] if flags & 2 else None
    model = source.text(16)
    deltas: list[Delta] = []
    comments: list[bytes] = []
    while not source.is_empty and len(deltas) < MAX_DELTAS:
        comments.append(_COMMENTS[source.number(len(_COMMENTS))])
        deltas.append(_delta(source, choices))
    return Case(model, choices, bool(flags & 1), counts, _as_generated(deltas), comments, failure)


def _delta(source: BytesSource, choices: int) -> Delta:
    flags = source.number(16)
    if flags & 8:
        # A piece of a call says nothing else.
        return Delta(index=source.number(choices), tool_call=_piece(source))
    tokens = tuple(_choice(source) for _ in range(source.number(3))) if flags & 1 else ()
    finish = None if flags & 6 else tuple(FinishReason)[source.number(len(FinishReason))]
    return Delta(source.text(4096), finish=finish, index=source.number(choices), tokens=tokens)


def _piece(source: BytesSource) -> ToolCallDelta:
    return ToolCallDelta(source.number(3), source.text(8), source.text(8), source.text(64))


def _as_generated(deltas: list[Delta]) -> list[Delta]:
    """Returns the deltas with id and name of a call in its first piece alone."""
    begun, generated = set(), []
    for delta in deltas:
        piece = delta.tool_call
        if piece is not None:
            is_first = (delta.index, piece.index) not in begun
            begun.add((delta.index, piece.index))
            named = replace(piece, name=f"f{piece.name}") if is_first else replace(piece, call_id="", name="")
            generated.append(structs.replace(delta, tool_call=named))
        else:
            generated.append(delta)
    return generated


def _choice(source: BytesSource) -> TokenChoice:
    return TokenChoice(_token(source), tuple(_token(source) for _ in range(source.number(3))))


def _token(source: BytesSource) -> TokenLogprob:
    # The generator writes -9999 for no chance at all.
    return TokenLogprob(source.take(source.number(12)), source.float32(low=-9999.0, high=0.0))


def _expected(case: Case) -> dict[int, Said]:
    said: dict[int, Said] = defaultdict(Said)
    for delta in case.deltas:
        choice = said[delta.index]
        choice.text += delta.text
        choice.tokens += [_read_back(token) for token in delta.tokens]
        if delta.tool_call is not None:
            piece = delta.tool_call
            _add_piece(choice.calls, piece.index, piece.call_id, piece.name, piece.arguments)
        choice.finish = delta.finish.value if delta.finish else choice.finish
    return said


def _read_back(token: TokenChoice) -> tuple[Any, ...]:
    return (*_pair(token.chosen), [_pair(each) for each in token.likeliest])


def _pair(token: TokenLogprob) -> tuple[bytes, float]:
    # Eight digits are more than a probability of float32 means.
    return token.token, float(f"{token.logprob:.8g}")


def _stream(case: Case, writer: StreamWriter) -> bytes:
    parts = [writer.opening(case.model)]
    for comment, delta in zip(case.comments, case.deltas, strict=True):
        parts += [comment, writer.frames(delta)]
    if case.failure is None:
        parts.append(b"".join(writer.closing(case.counts)))
    else:
        parts.append(writer.failure(error_json(ComptoirError(case.failure))))
    return b"".join(parts)


def _whole(case: Case, answer: WholeAnswer) -> dict[str, Any]:
    for delta in case.deltas:
        answer.add(delta)
    return strict_json(b"".join(answer.parts(case.counts, case.model)))


def _check_chat(case: Case) -> None:
    expected = _expected(case)
    usage = case.includes_usage

    def stream() -> bytes:
        return _stream(case, ChunkWriter(_CHAT, choices=case.choices, includes_usage=usage))

    objects = _without_end(case, chunks(within_bound(stream)))
    openings = [each["choices"][0] for each in objects[: case.choices]]
    assert [opening["index"] for opening in openings] == list(range(case.choices))
    assert all(opening["delta"] == {"role": "assistant", "content": ""} for opening in openings)
    said: dict[int, Said] = defaultdict(Said)
    for each in objects[case.choices :]:
        _check_head(case, each, f"chatcmpl-{_ID}", "chat.completion.chunk")
        (choice,) = each["choices"]
        _add(said[choice["index"]], choice, choice["delta"].get("content", ""))
        assert "role" not in choice["delta"]
    assert said == _without_silence(expected)

    answer = within_bound(lambda: _whole(case, WholeChat(_CHAT)))
    _check_head(case, answer, f"chatcmpl-{_ID}", "chat.completion")
    _check_usage(case, answer)
    said.clear()
    for choice in answer["choices"]:
        assert choice["message"]["role"] == "assistant"
        _add(said[choice["index"]], choice, choice["message"]["content"] or "")
    assert said == _ended(expected)


def _check_completion(case: Case) -> None:
    expected = _expected(case)
    for silent in expected.values():
        silent.tokens.clear()
        silent.calls.clear()

    def stream() -> bytes:
        return _stream(case, CompletionChunkWriter(_COMPLETION, includes_usage=case.includes_usage))

    said: dict[int, Said] = defaultdict(Said)
    lists: dict[int, dict[str, list[Any]]] = defaultdict(lambda: {name: [] for name in _LISTS})
    for each in _without_end(case, chunks(within_bound(stream))):
        _check_head(case, each, f"cmpl-{_ID}", "text_completion")
        (choice,) = each["choices"]
        _add(said[choice["index"]], choice | {"logprobs": None}, choice["text"])
        for name, values in (choice["logprobs"] or {}).items():
            lists[choice["index"]][name] += values
    # What has tokens and no text has a frame too.
    assert _without_silence(said) == _without_silence(expected)

    answer = within_bound(lambda: _whole(case, WholeCompletion(_COMPLETION)))
    _check_head(case, answer, f"cmpl-{_ID}", "text_completion")
    _check_usage(case, answer)
    said.clear()
    for choice in answer["choices"]:
        _add(said[choice["index"]], choice | {"logprobs": None}, choice["text"])
        if choice["logprobs"] is not None:
            assert lists[choice["index"]] == choice["logprobs"]
            assert len({len(values) for values in choice["logprobs"].values()}) == 1
    assert said == _ended(expected)


def _without_end(case: Case, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Checks how a stream ends, and returns what is before that."""
    if case.failure is not None:
        assert objects.pop()["error"]["code"] == case.failure.row.code
    elif case.includes_usage:
        last = objects.pop()
        assert last["choices"] == []
        _check_usage(case, last)
    assert all(("usage" in each) == case.includes_usage for each in objects)
    return objects


def _without_silence(said: dict[int, Said]) -> dict[int, Said]:
    # A delta that says nothing has no frame.
    return {index: each for index, each in said.items() if each != Said()}


def _ended(said: dict[int, Said]) -> dict[int, Said]:
    # A whole answer has an end in any case, and its calls in their order.
    return {
        index: replace(
            each,
            finish=each.finish or "stop",
            calls=dict(enumerate(call for _, call in sorted(each.calls.items()))),
        )
        for index, each in said.items()
    }


def _add(said: Said, choice: dict[str, Any], text: str) -> None:
    said.text += text
    said.finish = choice["finish_reason"] or said.finish
    message = choice.get("delta") or choice.get("message") or {}
    for place, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        _add_piece(
            said.calls,
            call.get("index", place),
            call.get("id", ""),
            function.get("name", ""),
            function["arguments"],
        )
    for token in (choice["logprobs"] or {"content": []})["content"]:
        likeliest = [_pair_of(each) for each in token["top_logprobs"]]
        said.tokens.append((*_pair_of(token), likeliest))


def _add_piece(calls: dict[int, list[str]], index: int, *texts: str) -> None:
    calls[index] = [one + more for one, more in zip(calls.get(index, [""] * 3), texts, strict=True)]


def _pair_of(token: dict[str, Any]) -> tuple[bytes, float]:
    held = bytes(token["bytes"])
    assert token["token"] == held.decode("utf-8", "replace")
    return held, token["logprob"]


def _check_head(case: Case, answer: dict[str, Any], name: str, kind: str) -> None:
    assert (answer["id"], answer["object"]) == (name, kind)
    assert (answer["created"], answer["model"]) == (_CREATED_SECONDS, case.model)


def _check_usage(case: Case, answer: dict[str, Any]) -> None:
    usage, counts = answer["usage"], case.counts
    assert usage["prompt_tokens"] == counts.input_tokens
    assert usage["completion_tokens"] == counts.output_tokens
    assert usage["total_tokens"] == counts.input_tokens + counts.output_tokens
    assert usage["prompt_tokens_details"] == {"cached_tokens": counts.cached_input_tokens}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": counts.reasoning_tokens}
