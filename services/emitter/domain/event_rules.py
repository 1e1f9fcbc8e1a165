"""What the store requires of every event: one that breaks it would keep its whole frame out of the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS, EVENT_SCHEMA_VERSION, RETENTION_MIN_DAYS
from services.kernel.catalog import Catalog
from services.kernel.errors import ComptoirError, Reason

_DAY_MICROSECONDS: Final = 86_400_000_000
# So old an event may always be: a producer keeps what it could not hand over.
PAST_MICROSECONDS: Final = _DAY_MICROSECONDS
# Retention counts whole days, so one less is sure; of those, one is the pipeline's.
_ON_THE_WAY_MICROSECONDS: Final = (RETENTION_MIN_DAYS - 2) * _DAY_MICROSECONDS
# How soon a producer may try again with what another clock, program or region would take.
RETRY_AFTER_SECONDS: Final = 1.0


def past_microseconds_for(spool_max_age_seconds: float) -> int:
    """Returns how old an event may be when it is taken, for a spool that keeps it for so long at most.

    The longer the better: what is older, its producer can never hand over again. An outage over a weekend
    must not end like that.
    """
    left = _ON_THE_WAY_MICROSECONDS - round(spool_max_age_seconds * 1_000_000)
    return max(PAST_MICROSECONDS, left)


class Dated(Protocol):
    """What every event says of itself, whatever its kind."""

    schema_version: int
    region: int
    started_at_microseconds: int


class Counted(Protocol):
    """What a generation says of its size."""

    model: int
    input_tokens: int
    output_tokens: int
    longest_choice_tokens: int
    actual_kv_blocks: int


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What one generation of a model can count at most, over all of its inputs and choices."""

    input_tokens: int
    output_tokens: int

    @property
    def kv_blocks(self) -> int:
        """Returns the most KV-cache blocks that its tokens fill: a block holds one at least."""
        return self.input_tokens + self.output_tokens


def limits_of(catalog: Catalog) -> Mapping[int, ModelLimits]:
    """Returns the limits of every model by its number."""
    return {
        model.number: ModelLimits(model.max_input_tokens, model.max_counted_output_tokens)
        for model in catalog.models
    }


@dataclass(frozen=True, slots=True)
class EventRules:
    """What this emitter's store takes: events of its own region and of this schema, begun lately.

    Where `models` are known, a generation is of one of them and within its limits.
    """

    region: int
    models: Mapping[int, ModelLimits] = field(default_factory=dict)
    schema_version: int = EVENT_SCHEMA_VERSION
    past_microseconds: int = PAST_MICROSECONDS

    def broken_by(self, event: Dated, now_microseconds: int) -> str:
        """Returns the name of the first field that breaks a rule, or nothing."""
        age_microseconds = now_microseconds - event.started_at_microseconds
        is_of_this_time = -EVENT_MAX_SKEW_MICROSECONDS <= age_microseconds <= self.past_microseconds
        checks = (
            (event.schema_version == self.schema_version, "schema_version"),
            (event.region == self.region, "region"),
            (is_of_this_time, "started_at_microseconds"),
        )
        return next((name for is_right, name in checks if not is_right), "")

    def exceeded_by(self, generation: Counted) -> str:
        """Returns the name of the first count that no request to the model can reach, or nothing."""
        if not self.models:
            return ""
        model = self.models.get(generation.model)
        if model is None:
            return "model"
        checks = (
            (generation.input_tokens <= model.input_tokens, "input_tokens"),
            (generation.output_tokens <= model.output_tokens, "output_tokens"),
            (generation.longest_choice_tokens <= generation.output_tokens, "longest_choice_tokens"),
            (generation.actual_kv_blocks <= model.kv_blocks, "actual_kv_blocks"),
        )
        return next((name for is_right, name in checks if not is_right), "")


class NotTakenNowError(ComptoirError):
    """An event that is whole, and of another time, program, region or catalog than this emitter.

    Which of the two is wrong nobody can tell from the event, and either may be put right. So the reason is
    one that every producer, of any version, takes as "keep it and try again"; `field` says what disagrees.
    """

    def __init__(self, field: str, offset_seconds: float = 0.0) -> None:
        super().__init__(Reason.USAGE_NOT_RECORDED, field=field, retry_after_seconds=RETRY_AFTER_SECONDS)
        self.offset_seconds = offset_seconds
