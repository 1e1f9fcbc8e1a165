"""The events of one choice become deltas: counted by the server's own count, and by nothing else."""

from enum import Enum
from typing import Final

from services.generator.adapters.openai_server.chunks import Choice, Chunk, is_json
from services.generator.adapters.openai_server.logprobs import TokenBytes, choices_of
from services.generator.adapters.openai_server.stops import StopCutter
from services.generator.domain.delta import Delta, EngineFinish, Measures
from services.generator.domain.ports import EngineRequest

_FINISHES: Final = {finish.value: finish for finish in (EngineFinish.STOP, EngineFinish.LENGTH)}
# Statuses of a server that has no room now.
BUSY: Final = (429, 503)
_MILLISECONDS: Final = 1000
# No model has as many tokens.
_MOST_IDS: Final = 2**31
# No request takes as long.
_MOST_PREFILL_SECONDS: Final = 86_400.0


class Fault(Enum):
    """What a server did wrong within a stream."""

    NO_EVENT = "no_event"
    ERROR = "error"
    OVERLOADED = "overloaded"
    SEVERAL_CHOICES = "several_choices"
    UNKNOWN_FINISH = "unknown_finish"
    COUNT_FELL = "count_fell"
    COUNT_MISSING = "count_missing"
    TOO_MANY_TOKENS = "too_many_tokens"
    IDS_NOT_COUNTED = "ids_not_counted"
    TOKENS_NOT_READ = "tokens_not_read"
    INPUT_NOT_COUNTED = "input_not_counted"
    NO_VECTOR = "no_vector"
    CUT = "cut"
    TOO_LONG = "too_long"
    SILENT = "silent"
    DISCONNECTED = "disconnected"


class BrokenStreamError(Exception):
    """A stream that cannot be believed; the fault says why, and nothing of what it said."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class ChoiceReader:
    """Reads one choice. Its end is told last, once the count is known, which comes behind the finish."""

    def __init__(
        self,
        request: EngineRequest,
        index: int,
        token_bytes: TokenBytes | None = None,
        *,
        input_tokens: int,
        keeps_stops: bool = False,
    ) -> None:
        self._request = request
        sampling = request.sampling
        self._stops = StopCutter(sampling.stop, sampling.stop_token_ids, token_bytes) if keeps_stops else None
        self._input_tokens = input_tokens
        self._index = index
        self._token_bytes = token_bytes
        self._counted_tokens = 0
        self._said_tokens: int | None = None
        self._has_text = False
        # Of an answer that is to be JSON: a server whose grammar gave up says that it stopped by itself.
        self._json: list[str] | None = [] if _is_json(request) else None
        self._finish: EngineFinish | None = None
        self._cached_tokens = 0
        self._prefill_seconds = 0.0

    def read(self, chunk: Chunk) -> Delta | None:
        """Returns what is new, if anything is; raises BrokenStreamError."""
        if chunk.is_error:
            is_busy = chunk.error_status in BUSY and not self._said_tokens
            raise BrokenStreamError(Fault.OVERLOADED if is_busy else Fault.ERROR)
        if len(chunk.choices) > 1:
            raise BrokenStreamError(Fault.SEVERAL_CHOICES)
        self._take_counts(chunk)
        # What comes behind the end says it again; only the count is news.
        if not chunk.choices or self._finish is not None:
            return None
        choice = chunk.choices[0]
        self._take_finish(choice)
        return self._delta(choice)

    def end(self) -> Delta:
        """Returns the last delta of a stream that has ended; raises BrokenStreamError."""
        if self._finish is None:
            raise BrokenStreamError(Fault.CUT)
        if self._said_tokens is None or (self._has_text and not self._said_tokens):
            raise BrokenStreamError(Fault.COUNT_MISSING)
        measures = Measures(cached_input_tokens=self._cached_tokens, prefill_seconds=self._prefill_seconds)
        finish = self._finish
        if finish is EngineFinish.STOP and self._json is not None and not is_json("".join(self._json)):
            finish = EngineFinish.LENGTH
        return Delta(output_tokens=self._uncounted(), finish=finish, measures=measures, index=self._index)

    def _take_counts(self, chunk: Chunk) -> None:
        said = chunk.output_tokens
        if said is not None:
            if said < self._counted_tokens:
                raise BrokenStreamError(Fault.COUNT_FELL)
            if said > self._request.max_output_tokens:
                raise BrokenStreamError(Fault.TOO_MANY_TOKENS)
            self._said_tokens = said
        # It cannot have had more than was sent.
        self._cached_tokens = min(self._input_tokens, max(self._cached_tokens, chunk.cached_tokens))
        if chunk.timings is not None and chunk.timings.prompt_ms is not None:
            self._prefill_seconds = min(
                _MOST_PREFILL_SECONDS, max(0.0, chunk.timings.prompt_ms / _MILLISECONDS)
            )

    def _take_finish(self, choice: Choice) -> None:
        if choice.finish_reason is None:
            return
        self._finish = _FINISHES.get(choice.finish_reason)
        if self._finish is None:
            raise BrokenStreamError(Fault.UNKNOWN_FINISH)

    def _delta(self, choice: Choice) -> Delta | None:
        text = choice.text or ""
        if self._stops is not None:
            text = self._stops.take(text) if self._finish is None else self._stops.end(text, choice.stop)
        delta = Delta(text, self._uncounted(), index=self._index)
        if self._request.returns_token_ids or self._request.sampling.logprobs is not None:
            self._take_tokens(choice, delta)
        if not (delta.text or delta.output_tokens):
            return None
        self._has_text = self._has_text or bool(delta.text)
        if self._json is not None:
            self._json.append(delta.text)
        return delta

    def _take_tokens(self, choice: Choice, delta: Delta) -> None:
        ids = tuple(choice.token_ids or ())
        if len(ids) != delta.output_tokens:
            raise BrokenStreamError(Fault.IDS_NOT_COUNTED)
        if any(not 0 <= token_id < _MOST_IDS for token_id in ids):
            raise BrokenStreamError(Fault.TOKENS_NOT_READ)
        if self._request.returns_token_ids:
            delta.token_ids = ids
        likeliest = self._request.sampling.logprobs
        if likeliest is not None and ids:
            if choice.logprobs is None or self._token_bytes is None:
                raise BrokenStreamError(Fault.TOKENS_NOT_READ)
            try:
                delta.tokens = choices_of(ids, choice.logprobs, likeliest, self._token_bytes)
            # What is no id of a token is told as either.
            except (ValueError, OverflowError):
                raise BrokenStreamError(Fault.TOKENS_NOT_READ) from None

    def _uncounted(self) -> int:
        """Returns the tokens that the server has counted and no delta has told, which tells them."""
        said = self._said_tokens or 0
        fresh, self._counted_tokens = said - self._counted_tokens, said
        return fresh


def _is_json(request: EngineRequest) -> bool:
    """Tells whether the whole answer is JSON; a text that ends it may stand anywhere in it."""
    return request.structure is not None and bool(request.structure.json_schema) and not request.sampling.stop
