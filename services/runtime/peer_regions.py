"""Regions that settings ask of the other side of a call, held against the process's own."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from services.kernel.process_names import RegionName

# Of addresses, and of what an edge is told for addresses that it hears of later.
_KEY: Final = "peer_region"


def of_other_regions(settings: object, region: str, at: str = "") -> Iterator[str]:
    """Yields the paths of the keys below `settings` whose certificates would be another region's."""
    if isinstance(settings, tuple | list):
        for place, each in enumerate(settings):
            yield from of_other_regions(each, region, f"{at}.{place}")
    if not isinstance(settings, BaseModel):
        return
    for key in type(settings).model_fields:
        value, path = getattr(settings, key), f"{at}.{key}".removeprefix(".")
        if not key.endswith(_KEY):
            yield from of_other_regions(value, region, path)
        elif (asked := RegionName.parse(value)) is not None and asked.region != region:
            yield path
