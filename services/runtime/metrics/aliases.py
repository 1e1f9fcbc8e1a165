"""Further names that dashboards know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Aliases:
    """Further names that dashboards know, for Prometheus: of families, and of their labels."""

    names: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


NO_ALIASES: Final = Aliases()
