"""What the usage pipeline is told: where the log and the store are, and how long events stay."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from pipelines.usage.domain.rules import Rules, StoreTerms
from services.runtime.addresses import GrpcListen, is_local
from services.runtime.kafka_target import KafkaTarget
from services.runtime.settings import MeteredSettings, SettingsError

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class KafkaSettings(KafkaTarget):
    """The log and this pipeline's place in it."""

    group: str = Field(
        default="comptoir-usage",
        pattern=r"^[a-z0-9.-]{1,128}$",
        description="the consumer group; pipelines of one store share it",
    )
    group_instance_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,128}$",
        description="a name that no other member of the group has at the same time, such as a pod's: after a "
        "kill the next process of the name has its partitions at once, and not when the session is over. Two "
        "that run under one name take partitions from each other in turns; empty: none",
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
        """Returns the password, as the file holds it."""
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the secret file {self.password_file.name} cannot be read.") from None


class UsageSettings(MeteredSettings, Rules):
    """The section `usage`: addresses, and the bounds; durations in seconds."""

    listen: GrpcListen = Field(description="where health and readiness are asked")
    kafka: KafkaSettings = Field(description="the log that frames are read from")
    clickhouse: ClickHouseSettings = Field(description="the store that events are inserted into")

    @property
    def store_terms(self) -> StoreTerms:
        """What the store demands of its writer."""
        return StoreTerms(self.home.number, self.clickhouse.deduplication_window_frames // 2)
