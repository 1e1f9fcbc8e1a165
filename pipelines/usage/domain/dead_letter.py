"""What is kept of a frame that can never be stored: why, where it stands, and whose events it claims."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import Record
from services.contract.frame import NO_CLAIM, Claim, claimed

LETTER_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A position in the log and a reason; a malformed payload may be text, so not even its hash is kept."""

    topic: str
    partition: int
    offset: int
    length_bytes: int
    fault: Fault
    store_code: int = 0
    claim: Claim = NO_CLAIM

    @classmethod
    def of(cls, record: Record, fault: Fault, store_code: int = 0) -> "DeadLetter":
        """Returns the letter for a record."""
        place = record.partition
        length, claim = len(record.value), claimed(record.value)
        return cls(place.topic, place.number, record.offset, length, fault, store_code, claim)

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

    @property
    def row(self) -> Mapping[str, int]:
        """Numbers only, by the names of the columns of `dead_letters`."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "reason": self.fault.value,
            "length_bytes": self.length_bytes,
            "store_code": self.store_code,
            **self.claim._asdict(),
        }
