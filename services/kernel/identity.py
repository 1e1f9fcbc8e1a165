"""128-bit identities as the pairs of 64-bit numbers in which they travel and rest."""

import hashlib
import os
import re
from typing import Final, NamedTuple, Self

_HEX: Final = re.compile(r"[0-9a-f]{32}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)

# Behind the microseconds; those of the year 2100 have 52 bits.
_RANDOM_BITS: Final = 12
_LOWEST: Final = 2**_RANDOM_BITS - 1
_HALF: Final = 2**64 - 1


class Identity(NamedTuple):
    """A 128-bit identity: upper and lower 64 bits."""

    high: int
    low: int

    @classmethod
    def random(cls) -> Self:
        """Returns an identity that nobody can guess."""
        bits = int.from_bytes(os.urandom(16))
        return cls(bits >> 64, bits & _HALF)

    @classmethod
    def dated(cls, wall_microseconds: int) -> Self:
        """Returns an identity that nobody can guess, and that sorts behind those of earlier moments.

        In an index, identities of one moment lie side by side; each random one is on a page of its own.
        """
        bits = int.from_bytes(os.urandom(10))
        high = (wall_microseconds << _RANDOM_BITS | bits >> 64 & _LOWEST) & _HALF
        return cls(high, bits & _HALF)

    @classmethod
    def from_hex(cls, text: str) -> Self | None:
        """Returns the identity that 32 lower-case hexadecimal digits spell, or None for any other text."""
        if not _HEX.fullmatch(text):
            return None
        return cls(int(text[:16], 16), int(text[16:], 16))

    @classmethod
    def from_uuid(cls, text: str) -> Self | None:
        """Returns the identity that a UUID spells, in any case, hyphens or not; None for other text."""
        return cls.from_hex(text.replace("-", "").lower()) if _UUID.fullmatch(text) else None

    @property
    def hex(self) -> str:
        """32 lower-case hexadecimal digits."""
        return f"{self.high:016x}{self.low:016x}"

    @property
    def is_set(self) -> bool:
        """True unless all 128 bits are 0, which means that there is none."""
        return bool(self.high or self.low)


def digest64(content: bytes) -> int:
    """Returns the first 64 bits of the SHA-256 of `content`; never given a request's text."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
