"""How often a generator reports, and how long it waits, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """`settings.py` says what each does."""

    load_event_interval_seconds: float = 10.0
    engine_hang_seconds: float = 120.0
    drain_seconds: float = 25.0
    flush_seconds: float = 5.0
