"""Whether a replica says that it is ready: only while its router knows it."""

from typing import Final

# A router that restarts has its replicas back within seconds, and what runs goes on meanwhile.
PATIENCE_SECONDS: Final = 5.0


class RegistrationWatch:
    """Ready from the first registration on, and until there was none for longer than the patience."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._registered_seconds: float | None = None

    def look(self, *, is_registered: bool, now_seconds: float) -> bool:
        """Returns whether the replica is ready; to be asked regularly."""
        if is_registered:
            self._registered_seconds = now_seconds
        if self._registered_seconds is None:
            return False
        return now_seconds - self._registered_seconds <= self._patience_seconds
