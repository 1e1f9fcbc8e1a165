"""Pseudonyms: what stands in stored events for the numbers of tenants and API keys.

A pseudonym is the first half of HMAC-SHA256 under the epoch's secret. Who holds the secret can compute it
again, so it is personal data until the secret is destroyed; it is never called anonymous.
"""

import functools
import hashlib
import hmac
from typing import Final, NamedTuple

_DOMAIN: Final = b"comptoir-pseudonym-v1\0"
SECRET_BYTES: Final = 32


class Pseudonym(NamedTuple):
    """128 bits as a pair of 64-bit numbers; both 0 for nobody."""

    high: int
    low: int


class Pseudonyms:
    """The pseudonyms of one epoch; the most recent `remembered` of each kind are not computed again."""

    def __init__(self, secret: bytes, epoch: int, *, remembered: int = 65_536) -> None:
        self.epoch = epoch
        self._secret = secret
        self.tenant = functools.lru_cache(remembered)(functools.partial(self._of, b"tenant"))
        self.key = functools.lru_cache(remembered)(functools.partial(self._of, b"key"))

    def _of(self, kind: bytes, number: int) -> Pseudonym:
        """Returns the pseudonym of a number; number 0 is nobody and stays so."""
        if number == 0:
            return Pseudonym(0, 0)
        message = _DOMAIN + kind + b"\0" + number.to_bytes(8, "big")
        digest = hmac.digest(self._secret, message, hashlib.sha256)
        return Pseudonym(int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"))
