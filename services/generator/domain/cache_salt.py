"""The prefix-cache salt of a tenant: blocks computed for one tenant are invisible to every other."""

import hashlib
import hmac
from typing import Final

_PURPOSE: Final = b"comptoir-cache-salt-v1\0"


def cache_salt(secret: bytes, tenant: int) -> str:
    """Returns 64 hexadecimal digits that only a holder of `secret` can derive from the tenant's number."""
    return hmac.new(secret, _PURPOSE + tenant.to_bytes(8, "big"), hashlib.sha256).hexdigest()
