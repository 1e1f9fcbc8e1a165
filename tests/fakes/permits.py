"""Transfer records that are in force because a test says so."""

from dataclasses import dataclass, field


@dataclass
class MemoryPermits:
    """The numbers of records by region and home."""

    records: dict[tuple[str, str], int] = field(default_factory=dict)

    def number_for(self, region: str, home: str) -> int:
        return self.records.get((region, home), 0)
