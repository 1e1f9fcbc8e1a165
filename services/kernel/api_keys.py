"""API keys: how they look, and how a typing error shows before any look-up.

The router makes and knows keys. The edge sees by their form alone what can be none, before it reads on.
"""

import re
import zlib
from typing import Final

ENTROPY_BYTES: Final = 16
_RANDOM_CHARACTERS: Final = 22
_CHECKSUM_CHARACTERS: Final = 6
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_KEY: Final = re.compile(rf"(cptr_({_REGION.pattern})_[0-9A-Za-z]{{22}})([0-9A-Za-z]{{6}})")


def make_key(region: str, entropy: bytes) -> str:
    """Returns `cptr_<region>_<22 random><6 checksum>` in base 62, for 16 bytes of entropy."""
    if len(entropy) != ENTROPY_BYTES or _REGION.fullmatch(region) is None:
        raise ValueError(
            "a key needs 16 bytes of entropy and a region of lower-case letters, digits, hyphens"
        )
    body = f"cptr_{region}_{_base62(int.from_bytes(entropy), _RANDOM_CHARACTERS)}"
    return body + _checksum(body)


def region_of(api_key: str) -> str | None:
    """Returns the region that a well-formed key names, or None if its form or its checksum is wrong."""
    match = _KEY.fullmatch(api_key)
    if match is None or _checksum(match[1]) != match[3]:
        return None
    return match[2]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
