"""What the emitter is told: where it listens, its spool, its log and the epoch of its pseudonyms."""

from pathlib import Path

from pydantic import Field

from services.emitter.domain.limits import SpoolFile
from services.runtime.addresses import GuardedListen
from services.runtime.kafka_target import KafkaTarget
from services.runtime.settings import MeteredSettings


class KafkaSettings(KafkaTarget):
    """The log, and how long one append may take before it counts as failed."""

    confirm_seconds: float = Field(
        default=30.0,
        gt=0,
        le=300,
        description="longest wait for Kafka to confirm frames before they are sent again",
    )


class EmitterSettings(MeteredSettings, SpoolFile):
    """The section `emitter`: addresses, the spool, and the epoch of its pseudonyms; durations in seconds."""

    listen: GuardedListen = Field(description="where processes hand in their events")
    kafka: KafkaSettings = Field(description="the log that frames are forwarded to")
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
