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

    confirm_seconds: float = Field(default=30.0, gt=0, le=300)


class EmitterSettings(ProcessSettings):
    """The section `emitter` and what all processes share."""

    listen: GuardedListen
    kafka: KafkaSettings
    spool_folder: Path
    # power: an acknowledged event survives a power cut. process: it survives the process, not the machine.
    durability: Literal["power", "process"] = "power"
    spool_max_bytes: int = Field(default=1024**3, ge=1024**2)
    # Below the shortest retention, 7 days, so that no event reaches the store too late to be kept.
    spool_max_age_seconds: float = Field(default=2 * _DAY_SECONDS, gt=0, le=6 * _DAY_SECONDS)
    remember_event_ids_seconds: float = Field(default=3600.0, ge=60, le=_DAY_SECONDS)
    frame_max_events: int = Field(default=500, ge=1, le=MAX_FRAME_EVENTS)
    frame_linger_seconds: float = Field(default=0.2, gt=0, le=60)
    pseudonym_epoch: int = Field(ge=1, le=65_535)
    pseudonym_secret_file: Path
    # Drain: first the open calls end, then what the spool holds leaves; the rest waits for the next start.
    grace_seconds: float = Field(default=5.0, gt=0, le=300)
    forward_grace_seconds: float = Field(default=5.0, gt=0, le=300)

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
