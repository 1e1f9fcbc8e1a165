"""What the emitter is told: where it listens, its spool, its log and the epoch of its pseudonyms."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.emitter.domain.batching import MAX_FRAME_EVENTS, SealLimits
from services.emitter.domain.limits import SpoolFile, SpoolLimits
from services.runtime.addresses import GuardedListen, KafkaTarget
from services.runtime.settings import ProcessSettings

_DAY_SECONDS = 86_400.0


class KafkaSettings(KafkaTarget):
    """The log, and how long one append may take before it counts as failed."""

    confirm_seconds: float = Field(
        default=30.0,
        gt=0,
        le=300,
        description="longest wait for Kafka to confirm frames before they are sent again",
    )


class EmitterSettings(ProcessSettings):
    """The section `emitter` and what all processes share."""

    listen: GuardedListen = Field(description="where processes hand in their events")
    kafka: KafkaSettings = Field(description="the log that frames are forwarded to")
    spool_folder: Path = Field(description="folder of the spool; created if absent, one emitter at a time")
    durability: Literal["power", "process"] = Field(
        default="power",
        description="`power`: an acknowledged event survives a power cut; `process`: it survives the end of "
        "the process and not that of the machine",
    )
    spool_max_bytes: int = Field(
        default=1024**3,
        ge=1024**2,
        description="most bytes that may wait for Kafka; more are refused as SPOOL_FULL",
    )
    # Below the shortest retention, 7 days, so that no event reaches the store too late to be kept.
    spool_max_age_seconds: float = Field(
        default=2 * _DAY_SECONDS,
        gt=0,
        le=6 * _DAY_SECONDS,
        description="longest that an event may wait for Kafka; while one waits longer, more are refused as "
        "SPOOL_FULL",
    )
    remember_event_ids_seconds: float = Field(
        default=3600.0,
        ge=60,
        le=_DAY_SECONDS,
        description="how long an event's id is known, so that the same event is not taken twice",
    )
    frame_max_events: int = Field(
        default=500,
        ge=1,
        le=MAX_FRAME_EVENTS,
        description="events of a full frame, which is sealed at once",
    )
    frame_linger_seconds: float = Field(
        default=0.2, gt=0, le=60, description="age of its oldest event at which a smaller frame is sealed"
    )
    pseudonym_epoch: int = Field(
        ge=1, le=65_535, description="number of the secret, which rows carry; a new secret needs a new number"
    )
    pseudonym_secret_file: Path = Field(
        description="32 bytes as hex: the secret that tenants' and keys' pseudonyms are made with"
    )
    grace_seconds: float = Field(
        default=5.0, gt=0, le=300, description="longest wait for open calls at a drain"
    )
    forward_grace_seconds: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="how long a drain then forwards what the spool holds; the rest waits for the next start",
    )

    @property
    def spool(self) -> SpoolFile:
        """The spool that these settings describe."""
        return SpoolFile(
            folder=self.spool_folder,
            is_flushed=self.durability == "power",
            seal=SealLimits(self.frame_max_events, self.frame_linger_seconds),
            limits=SpoolLimits(self.spool_max_bytes, self.spool_max_age_seconds),
            remember_ids_seconds=self.remember_event_ids_seconds,
        )
