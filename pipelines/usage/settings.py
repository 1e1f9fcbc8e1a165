"""What the usage pipeline is told: where the log and the store are, and how long events stay."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from pipelines.usage.domain.progress import CommitPolicy
from pipelines.usage.domain.rules import Rules, Span
from pipelines.usage.domain.validation import Residence
from services.contract.events import RETENTION_MAX_DAYS, RETENTION_MIN_DAYS
from services.runtime.addresses import GrpcListen, KafkaTarget, is_local
from services.runtime.settings import ProcessSettings, SettingsError

GivenUp = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,128}:\d{1,9}:\d{1,18}(-\d{1,18})?$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class KafkaSettings(KafkaTarget):
    """The log and this pipeline's place in it."""

    group: str = Field(
        default="comptoir-usage",
        pattern=r"^[a-z0-9.-]{1,128}$",
        description="the consumer group; pipelines of one store share it",
    )
    session_timeout_seconds: float = Field(
        default=30.0,
        ge=6,
        le=300,
        description="silence after which the group gives this member's partitions to others",
    )
    max_poll_records: int = Field(
        default=256, ge=1, le=10_000, description="most frames that are read from Kafka at once"
    )


class ClickHouseSettings(BaseModel):
    """The store and the user who writes to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: HttpUrl = Field(description="address of ClickHouse's HTTP interface; https unless it is loopback")
    user: str = Field(default="comptoir_writer", description="the user that inserts and makes the tables")
    password_file: Path = Field(description="file with that user's password")
    ca_file: Path | None = Field(
        default=None, description="the authority that signed the server's certificate; else the system's"
    )
    database: Identifier = Field(default="comptoir", description="the database; created if absent")
    engine: Literal["MergeTree", "ReplicatedMergeTree"] = Field(
        default="MergeTree",
        description="`ReplicatedMergeTree` where the database's engine is Replicated, else `MergeTree`",
    )
    deduplication_window_frames: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="frames per table that the store recognises when they come again; half as many may be "
        "inserted without a commit",
    )
    insert_timeout_seconds: float = Field(
        default=60.0, gt=0, le=240, description="longest insert before it is tried again"
    )

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> "ClickHouseSettings":
        if self.url.scheme != "https" and not is_local(f"{self.url.host}:{self.url.port}"):
            raise ValueError("url is not loopback, so it must be https")
        return self

    def password(self) -> str:
        """The password, as the file holds it."""
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the secret file {self.password_file.name} cannot be read.") from None


class UsageSettings(ProcessSettings):
    """The section `usage` and what all processes share."""

    listen: GrpcListen = Field(description="where health and readiness are asked")
    kafka: KafkaSettings = Field(description="the log that frames are read from")
    clickhouse: ClickHouseSettings = Field(description="the store that events are inserted into")
    retention_days: int = Field(
        default=RETENTION_MAX_DAYS,
        ge=RETENTION_MIN_DAYS,
        le=RETENTION_MAX_DAYS,
        description="an event expires this many days after its UTC day; set on every table at each start",
    )
    commit_every_frames: int = Field(
        default=64, ge=1, le=10_000, description="offsets are committed after this many frames at the latest"
    )
    commit_every_seconds: float = Field(
        default=1.0, gt=0, le=60, description="offsets are committed after this time at the latest"
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
        default=5.0, ge=0.1, le=60, description="time between two measurements of how far it is behind"
    )
    given_up: tuple[GivenUp, ...] = Field(
        default=(),
        description="positions at which a partition pauses and that a person decided to do without, as "
        "`TOPIC:PARTITION:OFFSET` or `TOPIC:PARTITION:FIRST-LAST`: they become dead letters",
    )

    @property
    def rules(self) -> Rules:
        """What the consumer needs of this."""
        return Rules(
            residence=Residence(self.home.number, self.retention_days),
            commit=CommitPolicy(
                self.commit_every_frames,
                self.commit_every_seconds,
                self.clickhouse.deduplication_window_frames // 2,
            ),
            dead_letters_in_a_row=self.dead_letters_in_a_row,
            release_seconds=self.release_seconds,
            retry_first_seconds=self.retry_first_seconds,
            retry_most_seconds=self.retry_most_seconds,
            late_seconds=self.late_seconds,
            measure_seconds=self.measure_every_seconds,
            given_up=tuple(_span(text) for text in self.given_up),
        )


def _span(text: str) -> Span:
    topic, partition, offsets = text.split(":")
    first, _, last = offsets.partition("-")
    return Span(topic, int(partition), int(first), int(last or first))
