"""What a sign-in link of the console holds: good once and for minutes, made from a secret."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

LINK_SECRET_BYTES: Final = 32
LINK_SECONDS: Final = 600
NONCE_BYTES: Final = 12
_TIME_BYTES: Final = 5
_MAC_BYTES: Final = 16
_TOKEN_BYTES: Final = NONCE_BYTES + _TIME_BYTES + _MAC_BYTES


def sign_in_token(secret: bytes, nonce: bytes, expires_seconds: int) -> str:
    """Returns a token that `verified_nonce` takes until it expires; Unix time."""
    said = nonce + expires_seconds.to_bytes(_TIME_BYTES)
    return base64.urlsafe_b64encode(said + _mac(secret, said)).decode("ascii")


def verified_nonce(secret: bytes, token: str, now_seconds: float) -> bytes | None:
    """Returns what tells a token from all others; None where it was not made with the secret, or is over.

    One that would be good for longer than any link is was not made by this program.
    """
    try:
        whole = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    said, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
    if len(whole) != _TOKEN_BYTES or not hmac.compare_digest(_mac(secret, said), mac):
        return None
    is_in_time = now_seconds < int.from_bytes(said[NONCE_BYTES:]) <= now_seconds + LINK_SECONDS
    return said[:NONCE_BYTES] if is_in_time else None


def _mac(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, b"comptoir console sign-in\0" + said, hashlib.sha256)[:_MAC_BYTES]
