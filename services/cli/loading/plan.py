"""What a bench does, and the clocks by which."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from deploy.models.tiny_eu_training.grammar import Grammar
from services.cli.bench.lengths import Lengths
from services.cli.bench.load import Bound, Load
from services.cli.bench.metrics import Judged
from services.cli.bench.trace import TracedRequest


class Clocks(Protocol):
    """Time of the machine, and of this process's work."""

    def now(self) -> float:
        """Returns seconds of the monotonic clock."""
        ...

    def cpu(self) -> float:
        """Returns seconds that this process computed."""
        ...


class MachineClocks:
    """Those of the machine, whose monotonic clock is the same in all of its processes."""

    def now(self) -> float:
        """Returns seconds of the monotonic clock."""
        return time.monotonic()

    def cpu(self) -> float:
        """Returns seconds that this process computed."""
        return time.process_time()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bench does."""

    levels: tuple[Load, ...]
    grammars: Mapping[str, Grammar]
    input_lengths: Lengths
    output_lengths: Lengths
    bound: Bound = field(default_factory=Bound)
    trace: tuple[TracedRequest, ...] = ()
    warm_up_requests: int | None = None
    seed: int = 0
    judged: Judged = field(default_factory=Judged)
