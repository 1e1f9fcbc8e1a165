"""One event of a stream of completions; what a server adds to it is skipped."""

from collections.abc import Sequence

import msgspec


class CachedTokens(msgspec.Struct, frozen=True):
    """A part of the prompt's count."""

    cached_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """Counts so far."""

    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    prompt_tokens_details: CachedTokens | None = None


class Timings(msgspec.Struct, frozen=True):
    """What llama.cpp counts and measures with each chunk."""

    predicted_n: int | None = None
    cache_n: int | None = None
    prompt_ms: float | None = None


class Logprobs(msgspec.Struct, frozen=True):
    """Tokens by their ids, `token_id:5`, with what they were chosen from."""

    tokens: Sequence[str] = ()
    token_logprobs: Sequence[float | None] = ()
    top_logprobs: Sequence[dict[str, float] | None] | None = None


class Choice(msgspec.Struct, frozen=True):
    """New text of a choice."""

    text: str | None = None
    finish_reason: str | None = None
    token_ids: Sequence[int] | None = None
    # What ended it, as SGLang and as the others call it: a string, or the id of a token.
    matched_stop: int | str | None = None
    stop_reason: int | str | None = None
    logprobs: Logprobs | None = None

    @property
    def stop(self) -> int | str | None:
        """The string or the id of the token that ended it; None where something else did."""
        return self.stop_reason if self.matched_stop is None else self.matched_stop


class Error(msgspec.Struct, frozen=True):
    """Why a server failed; SGLang says with which status it would have refused."""

    code: int | str | None = None


class Chunk(msgspec.Struct, frozen=True):
    """An event; `error` stands in some for everything else."""

    choices: Sequence[Choice] = ()
    usage: Usage | None = None
    timings: Timings | None = None
    error: msgspec.Raw = msgspec.Raw(b"")

    @property
    def is_error(self) -> bool:
        """Whether the server says that it failed."""
        return bool(self.error) and bytes(self.error) != b"null"

    @property
    def error_status(self) -> int:
        """The HTTP status that the error stands for; 0 where it names none."""
        try:
            code = _ERRORS.decode(self.error).code
        except (msgspec.MsgspecError, RecursionError):
            return 0
        return code if isinstance(code, int) else 0

    @property
    def output_tokens(self) -> int | None:
        """How many tokens it has made so far, as it counts; None where the event does not say."""
        if self.usage is not None and self.usage.completion_tokens is not None:
            return self.usage.completion_tokens
        return None if self.timings is None else self.timings.predicted_n

    @property
    def cached_tokens(self) -> int:
        """How many tokens of the prompt it had; 0 until it says so."""
        details = None if self.usage is None else self.usage.prompt_tokens_details
        if details is not None and details.cached_tokens is not None:
            return details.cached_tokens
        return 0 if self.timings is None else self.timings.cache_n or 0


_DECODER = msgspec.json.Decoder(Chunk)
_ERRORS = msgspec.json.Decoder(Error)
_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)


def chunk_of(data: bytes) -> Chunk:
    """Returns an event; raises ValueError for what is none."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        # The library's words quote what came.
        raise ValueError("no event") from None


def is_json(text: str) -> bool:
    """Tells whether a text is one value of JSON, whole."""
    try:
        _ANY_JSON.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return False
    return True
