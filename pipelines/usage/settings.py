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

    group: str = Field(default="comptoir-usage", pattern=r"^[a-z0-9.-]{1,128}$")
    session_timeout_seconds: float = Field(default=30.0, ge=6, le=300)
    max_poll_records: int = Field(default=256, ge=1, le=10_000)


class ClickHouseSettings(BaseModel):
    """The store and the user who writes to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: HttpUrl
    user: str = "comptoir_writer"
    password_file: Path
    ca_file: Path | None = None
    database: Identifier = "comptoir"
    # Replicated tables where the database engine is Replicated; plain MergeTree on one server.
    engine: Literal["MergeTree", "ReplicatedMergeTree"] = "MergeTree"
    # Frames per table that the store recognises when they come again.
    deduplication_window_frames: int = Field(default=10_000, ge=100, le=1_000_000)
    insert_timeout_seconds: float = Field(default=60.0, gt=0, le=240)

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

    listen: GrpcListen
    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    retention_days: int = Field(default=RETENTION_MAX_DAYS, ge=RETENTION_MIN_DAYS, le=RETENTION_MAX_DAYS)
    commit_every_frames: int = Field(default=64, ge=1, le=10_000)
    commit_every_seconds: float = Field(default=1.0, gt=0, le=60)
    # So many bad frames in a row stop the consumer, for a person to look.
    dead_letters_in_a_row: int = Field(default=100, ge=0)
    # The longest that a rebalance waits for the insert in flight.
    release_seconds: float = Field(default=8.0, gt=0, le=60)
    retry_first_seconds: float = Field(default=0.2, gt=0)
    retry_most_seconds: float = Field(default=10.0, gt=0)
    # The pipeline calls itself unready when the store is further behind the log than this.
    late_seconds: float = Field(default=60.0, ge=1, le=86_400)
    measure_every_seconds: float = Field(default=5.0, ge=0.1, le=60)
    # Positions at which a partition would pause and that a person decided to do without: they become dead
    # letters. `TOPIC:PARTITION:OFFSET`, or `TOPIC:PARTITION:FIRST-LAST`.
    given_up: tuple[GivenUp, ...] = ()

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
