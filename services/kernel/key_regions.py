"""Which keys a region answers: a key names its own, so that nobody needs to be asked."""

from services.kernel.catalog import Catalog, Region
from services.kernel.errors import ComptoirError, Reason


class KeyRegions:
    """The regions of a catalog, as a process in one of them sees them."""

    def __init__(self, catalog: Catalog, region: Region) -> None:
        self._catalog = catalog
        self._region = region

    def check(self, key_region: str) -> None:
        """Raises WRONG_REGION, with the base URL that is right, unless such keys are answered here.

        KEY_INVALID for a region that is not in the catalog: no key was made for it.
        """
        answering = self._catalog.answering(key_region)
        if answering is None:
            raise ComptoirError(Reason.KEY_INVALID)
        if answering.number != self._region.number:
            raise ComptoirError(Reason.WRONG_REGION, base_url=answering.base_url)
