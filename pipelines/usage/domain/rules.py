"""What a consumer is told: how long events stay, when to commit, when to stop, how long to wait."""

from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.usage.domain.gpu_prices import GpuPrice, check_declared
from pipelines.usage.domain.ports import Record
from services.contract.events import RETENTION_MAX_DAYS, RETENTION_MIN_DAYS

# How often a paused partition is tried again.
PAUSE_SECONDS: Final = 2.0

GivenUp = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,128}:\d{1,9}:\d{1,18}(-\d{1,18})?$")]


class Span(NamedTuple):
    """Offsets of one partition, both ends included."""

    topic: str
    partition: int
    first: int
    last: int

    @classmethod
    def of(cls, text: GivenUp) -> "Span":
        """Returns the span that `TOPIC:PARTITION:OFFSET` or `TOPIC:PARTITION:FIRST-LAST` names."""
        topic, partition, offsets = text.split(":")
        first, _, last = offsets.partition("-")
        return cls(topic, int(partition), int(first), int(last or first))


class StoreTerms(NamedTuple):
    """What the store demands of its writer: the region of its events, and when to wait for a commit.

    At most about `most_uncommitted_frames` are inserted without one: beyond the store's window of tokens, a
    frame that is read again would be stored again.
    """

    region: int
    most_uncommitted_frames: int = 5_000


class Rules(BaseModel):
    """Bounds in frames, days and seconds; the settings of the section `usage` are these and addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retention_days: int = Field(
        default=RETENTION_MAX_DAYS,
        ge=RETENTION_MIN_DAYS,
        le=RETENTION_MAX_DAYS,
        description="an event expires this many days after its UTC day; set on every table at each start",
    )
    ttft_p95_target_seconds: float = Field(
        default=2.0,
        gt=0,
        le=3_600,
        description="what the view `slo_ttft` holds the p95 of the time to first token of five minutes "
        "against",
    )
    gpu_prices: tuple[GpuPrice, ...] = Field(
        default=(),
        max_length=1_024,
        description="what accelerators cost by GPU class, for the views of cost; the store keeps those of "
        "before",
    )
    commit_every_frames: int = Field(
        default=64, ge=1, le=10_000, description="offsets are committed after this many frames at the latest"
    )
    commit_every_seconds: float = Field(
        default=2.0, gt=0, le=60, description="offsets are committed after this time at the latest"
    )
    dead_letters_in_a_row: int = Field(
        default=100,
        ge=0,
        description="more corrupt frames than this in a row stop the consumer, for a person to look",
    )
    release_seconds: float = Field(
        default=8.0, gt=0, le=60, description="longest that a rebalance waits for the inserts in flight"
    )
    retry_first_seconds: float = Field(
        default=0.2, gt=0, description="wait after the first failure of Kafka or the store; each next doubles"
    )
    retry_most_seconds: float = Field(default=10.0, gt=0, description="longest wait between two attempts")
    late_seconds: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="while the store is further behind the log than this, the pipeline is unready",
    )
    measure_every_seconds: float = Field(
        default=10.0, ge=0.1, le=60, description="time between two measurements of how far it is behind"
    )
    given_up: tuple[GivenUp, ...] = Field(
        default=(),
        description="positions at which a partition pauses and that a person decided to do without, as "
        "`TOPIC:PARTITION:OFFSET` or `TOPIC:PARTITION:FIRST-LAST`: they become dead letters",
    )

    @field_validator("gpu_prices")
    @classmethod
    def _each_class_has_one_price_at_a_time(cls, prices: tuple[GpuPrice, ...]) -> tuple[GpuPrice, ...]:
        check_declared(prices)
        return prices

    def is_given_up(self, record: Record) -> bool:
        """Returns whether a person listed the record's position."""
        place = record.partition
        return any(
            (span.topic, span.partition) == place and span.first <= record.offset <= span.last
            for span in map(Span.of, self.given_up)
        )
