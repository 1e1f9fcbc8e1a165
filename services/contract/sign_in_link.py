"""What a sign-in link of the console holds: good once, for minutes, for one run of it; made from a secret."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self

LINK_SECRET_BYTES: Final = 32
LINK_SECONDS: Final = 600
NONCE_BYTES: Final = 12
RUN_BYTES: Final = 12
_TIME_BYTES: Final = 5
_MAC_BYTES: Final = 16
_LAST_SECONDS: Final = (1 << 8 * _TIME_BYTES) - 1 - LINK_SECONDS
_MOMENT_BYTES: Final = RUN_BYTES + _TIME_BYTES
_TOKEN_BYTES: Final = _MOMENT_BYTES + NONCE_BYTES + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of one run of a console, on that run's own clock: no other clock, and no other run, has it.

    A console tells it to whoever asks. A link names one, so that it ends with the run, and setting a clock
    neither ends it early nor lets it in again.
    """

    run: bytes
    seconds: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Returns what a console told; None where that is no moment, or so late that a link had no end."""
        whole = _decoded(text)
        told = cls._of(whole) if len(whole) == _MOMENT_BYTES else None
        return told if told is not None and told.seconds <= _LAST_SECONDS else None

    def text(self) -> str:
        """Returns how a console tells it."""
        return _encoded(_bytes(self.run, self.seconds))

    def sign_in_token(self, secret: bytes, nonce: bytes) -> str:
        """Returns a token that lets in from this moment on, until a link's time is over."""
        said = _bytes(self.run, self.seconds + LINK_SECONDS) + nonce
        return _encoded(said + _mac(secret, said))

    def verified_nonce(self, secret: bytes, token: str) -> bytes | None:
        """Returns what tells a token from all others; None where it is none of the secret or of now.

        One that would be good for longer than any link is was not made by this program.
        """
        whole = _decoded(token)
        said, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
        if len(whole) != _TOKEN_BYTES or not hmac.compare_digest(_mac(secret, said), mac):
            return None
        end = self._of(said)
        is_in_time = self.seconds < end.seconds <= self.seconds + LINK_SECONDS
        return said[_MOMENT_BYTES:] if end.run == self.run and is_in_time else None

    @classmethod
    def _of(cls, whole: bytes) -> Self:
        return cls(whole[:RUN_BYTES], int.from_bytes(whole[RUN_BYTES:_MOMENT_BYTES]))


def _bytes(run: bytes, seconds: int) -> bytes:
    return run + seconds.to_bytes(_TIME_BYTES)


def _encoded(whole: bytes) -> str:
    return base64.urlsafe_b64encode(whole).decode("ascii")


def _decoded(text: str) -> bytes:
    """Returns the bytes of a text; none where it is not base64."""
    try:
        return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _mac(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, b"comptoir console sign-in 2\0" + said, hashlib.sha256)[:_MAC_BYTES]
