"""The router's Ed25519 signatures, checked against public keys from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.contract.ticket import signed_content
from services.runtime.settings import read_secret

_KEY_BYTES: Final = 32


class Ed25519Signatures:
    """Public keys by their number; several, so that the router's key can be rotated with an overlap."""

    def __init__(self, keys: Mapping[int, Ed25519PublicKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_files(cls, files: Mapping[int, Path]) -> "Ed25519Signatures":
        """Reads each file's 64 hexadecimal digits; raises SettingsError for anything else."""
        return cls(
            {
                number: Ed25519PublicKey.from_public_bytes(read_secret(path, length_bytes=_KEY_BYTES))
                for number, path in files.items()
            }
        )

    def is_valid(self, claims: bytes, signature: bytes, signing_key_number: int) -> bool:
        """Returns True if the numbered key signed exactly these claims."""
        key = self._keys.get(signing_key_number)
        if key is None:
            return False
        try:
            key.verify(signature, signed_content(claims))
        except InvalidSignature:
            return False
        return True
