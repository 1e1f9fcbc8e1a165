"""How many bytes of vectors one process holds: they are made whole, and wait for callers that read slowly."""

from typing import Final

from services.kernel.errors import ComptoirError, Reason

# Sixteen of the largest requests at once.
MOST_HELD_BYTES: Final = 256 * 1024 * 1024


class VectorMemory:
    """One budget for all requests of a process."""

    def __init__(self, most_bytes: int = MOST_HELD_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Returns how much of it is taken."""
        return self._held_bytes

    def take(self, size_bytes: int) -> "HeldVectors":
        """Returns that much of it, to be given back; raises REPLICA_OVERLOADED where too little is left."""
        if self._held_bytes + size_bytes > self._most_bytes:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        self._held_bytes += size_bytes
        return HeldVectors(self, size_bytes)

    def give(self, size_bytes: int) -> None:
        """Takes bytes back."""
        self._held_bytes -= size_bytes


class HeldVectors:
    """What one request has of it."""

    def __init__(self, memory: VectorMemory, size_bytes: int) -> None:
        self._memory = memory
        self._left_bytes = size_bytes

    def give(self, size_bytes: int) -> None:
        """Gives back what is held no longer, at most what is left."""
        given_bytes = min(size_bytes, self._left_bytes)
        self._left_bytes -= given_bytes
        self._memory.give(given_bytes)

    def give_all(self) -> None:
        """Gives the rest back; safe to repeat."""
        self.give(self._left_bytes)
