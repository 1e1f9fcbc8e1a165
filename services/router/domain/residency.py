"""Whether this region answers a key, and by which transfer record it may, if it is outside the EU."""

from dataclasses import dataclass
from typing import Protocol

from services.kernel.catalog import Catalog, Region
from services.kernel.errors import ComptoirError, Reason
from services.kernel.key_regions import KeyRegions


class TransferPermits(Protocol):
    """The transfer records that are in force at the moment of the call."""

    def number_for(self, region: str, home: str) -> int:
        """Returns the record by which a region may serve a key of `home`, by their names; 0 without one."""
        ...


@dataclass(frozen=True, slots=True)
class Residency:
    """What the router's region may serve: by the catalog at home, by a record abroad."""

    catalog: Catalog
    region: Region
    permits: TransferPermits

    def check_answered_here(self, key_region: str) -> None:
        """Raises WRONG_REGION, with the base URL that is right, unless this region answers such keys.

        KEY_INVALID for a region that is not in the catalog: no key was made for it.
        """
        KeyRegions(self.catalog, self.region).check(key_region)

    def transfer_record(self, home_region: int) -> int:
        """Returns the number of the record by which a tenant is served here, 0 in the European Union.

        Outside it REGION_NOT_ALLOWED without a record that is in force, for whomever.
        """
        if self.region.is_eu:
            return 0
        home = self.catalog.region_by_number(home_region)
        record = self.permits.number_for(self.region.name, home.name) if home else 0
        if not record:
            raise ComptoirError(Reason.REGION_NOT_ALLOWED)
        return record
