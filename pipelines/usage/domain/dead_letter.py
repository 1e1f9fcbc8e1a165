"""What is kept of a frame that cannot be stored: why and where it stands, and nothing of what it holds."""

import json
from dataclasses import dataclass

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import Record

LETTER_VERSION = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A position in the log and a reason; a malformed payload may be text, so not even its hash is kept."""

    topic: str
    partition: int
    offset: int
    length_bytes: int
    fault: Fault
    store_code: int = 0

    @classmethod
    def of(cls, record: Record, fault: Fault, store_code: int = 0) -> "DeadLetter":
        """The letter for a record."""
        place = record.partition
        return cls(place.topic, place.number, record.offset, len(record.value), fault, store_code)

    @property
    def key(self) -> bytes:
        """The same for the same position, so that a letter sent twice is one after compaction."""
        return f"{self.topic}:{self.partition}:{self.offset}".encode()

    @property
    def value(self) -> bytes:
        """JSON of numbers, and of names that this code chose."""
        fields = {
            "letter_version": LETTER_VERSION,
            "reason": self.fault.value,
            "reason_name": self.fault.name.lower(),
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "length_bytes": self.length_bytes,
            "store_code": self.store_code,
        }
        return json.dumps(fields, separators=(",", ":")).encode()
