"""What the events of an OpenAI stream say: that output came, how many tokens were counted, what went wrong.

Text is looked at and let go, except where a tokenizer has to count it; then it lives until the answer ended.
"""

import json
import re
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.cli.bench.exchange import CountedBy
from services.cli.bench.sse import DONE

CountTokens = Callable[[str], int]
BROKEN_OFF: Final = "broken_off"
NOT_OPENAI: Final = "not_openai"
# What a server calls its errors goes to a terminal and into a file: names alone, and no sentence.
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PIECES: Final = ("content", "reasoning_content", "reasoning", "refusal")
_CALLS: Final = ("tool_calls", "function_call")


@dataclass(slots=True)
class Counted:
    """Tokens, and where their number comes from."""

    input_tokens: int
    output_tokens: int
    by: CountedBy


class AnswerReader:
    """Takes the events of one answer, or the one body of an answer that is not streamed."""

    def __init__(self, count_tokens: CountTokens | None = None) -> None:
        self.token_seconds: array[float] = array("d")
        self.failure = ""
        self._count_tokens = count_tokens
        self._text: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self._is_ended = False

    def take(self, data: bytes, at_seconds: float) -> None:
        """Reads one event that arrived then."""
        if data == DONE:
            self._is_ended = True
            return
        content = _parsed(data)
        if content is None or not isinstance(choices := content.get("choices"), list):
            self._fail(NOT_OPENAI if content is None else _code_of(content, ""))
            return
        if self._note(content, choices):
            self.token_seconds.append(at_seconds)

    def take_whole(self, body: bytes) -> None:
        """Reads a whole answer, of which nobody knows when its first token came."""
        content = _parsed(body)
        if content is None or not isinstance(choices := content.get("choices"), list):
            self._fail(NOT_OPENAI if content is None else _code_of(content, ""))
            return
        self._note(content, choices)
        self._is_ended = True

    def end(self) -> None:
        """The connection has nothing more: an answer without its end broke off."""
        if not self._is_ended:
            self._fail(BROKEN_OFF)

    def counted(self) -> Counted:
        """Returns the tokens: of the endpoint's usage, or as the tokenizer counts, or one for each event."""
        given = self._usage.get("prompt_tokens")
        input_tokens = given if isinstance(given, int) else 0
        output_tokens = self._usage.get("completion_tokens")
        if isinstance(output_tokens, int):
            return Counted(input_tokens, output_tokens, CountedBy.USAGE)
        if self._count_tokens is not None:
            text, self._text = "".join(self._text), []
            return Counted(input_tokens, self._count_tokens(text), CountedBy.TOKENIZER)
        return Counted(input_tokens, len(self.token_seconds), CountedBy.EVENTS)

    def _note(self, content: Mapping[str, Any], choices: list[Any]) -> bool:
        """Keeps counts and ends, and returns whether there was output."""
        usage = content.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        has_output = False
        for choice in choices:
            if isinstance(choice, dict):
                self._is_ended = self._is_ended or choice.get("finish_reason") is not None
                has_output = self._has_output(choice) or has_output
        return has_output

    def _has_output(self, choice: Mapping[str, Any]) -> bool:
        delta = choice.get("delta") or choice.get("message")
        pieces = (
            [choice.get("text")] if not isinstance(delta, dict) else [delta.get(name) for name in _PIECES]
        )
        texts = [piece for piece in pieces if isinstance(piece, str) and piece]
        if texts and self._count_tokens is not None:
            self._text += texts
        return bool(texts) or (isinstance(delta, dict) and any(delta.get(name) for name in _CALLS))

    def _fail(self, failure: str) -> None:
        self.failure = self.failure or failure


def refusal(status: int, body: bytes) -> str:
    """Returns the name under which an HTTP refusal is counted: its status, and OpenAI's code or type."""
    content = _parsed(body)
    code = "" if content is None else _code_of(content, "")
    return f"{status} {code}" if code and code != NOT_OPENAI else str(status)


def _code_of(content: Mapping[str, Any], otherwise: str) -> str:
    error = content.get("error")
    fields = error if isinstance(error, dict) else content
    for name in ("code", "type"):
        value = fields.get(name)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return otherwise or NOT_OPENAI


def _parsed(data: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
