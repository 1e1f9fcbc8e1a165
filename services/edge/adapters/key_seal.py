"""Seals items for the holder of an API key: the cipher's key is derived from it, and no edge keeps one."""

import base64
import os
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE: Final = b"comptoir responses item 1"
_KEY_BYTES: Final = 32
# What AES-GCM has; random ones are unique for billions of items of one key.
_NONCE_BYTES: Final = 12
# No id of an item and no base64 has it.
_BETWEEN: Final = "."


class KeySeal:
    """An `ItemSeal` of one API key, which is not used until something is sealed or opened."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def seal(self, item_id: str, content: str) -> str:
        """Returns an id that begins with `item_id` and holds `content`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content.encode(), item_id.encode())
        return f"{item_id}{_BETWEEN}{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def open(self, sealed_id: str) -> str | None:
        """Returns what an id holds; None where it holds nothing, or was sealed with another key."""
        item_id, _, text = sealed_id.partition(_BETWEEN)
        if not text:
            return None
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, content, item_id.encode()).decode()
        except (ValueError, InvalidTag):
            return None

    @cached_property
    def _cipher(self) -> AESGCM:
        # The key has 131 random bits, and needs no salt.
        derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE)
        return AESGCM(derived.derive(self._api_key.encode()))
