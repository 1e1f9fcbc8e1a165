"""A replica outside the European Union, which takes no ticket without a transfer record."""

from dataclasses import dataclass
from typing import Protocol

from services.kernel.catalog import Catalog, Region


class TransferPermits(Protocol):
    """The transfer records that are in force at the moment of the call."""

    def permits(self, number: int, region: str, home: str) -> bool:
        """Tells whether that record lets a region serve a tenant of `home`, by their names."""
        ...


@dataclass(frozen=True, slots=True)
class Abroad:
    """Where the replica is, and the records that it has verified itself: a router alone cannot permit."""

    catalog: Catalog
    region: Region
    records: TransferPermits

    def permits(self, record: int, home_region: int) -> bool:
        """Tells whether a ticket under that record, for a tenant at home there, may be used now."""
        home = self.catalog.region_by_number(home_region)
        return home is not None and self.records.permits(record, self.region.name, home.name)
