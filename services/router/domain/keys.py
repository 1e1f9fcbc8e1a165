"""What is stored of an API key."""

import hashlib
import hmac


def digest_of(api_key: str, pepper: bytes) -> bytes:
    """Returns the 32 bytes that are stored of a key: HMAC-SHA256 under the pepper."""
    return hmac.digest(pepper, api_key.encode(), hashlib.sha256)
