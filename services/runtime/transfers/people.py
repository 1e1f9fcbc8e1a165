"""People who ask for transfer records and people who approve them, by their public keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from services.runtime.settings_error import SettingsError
from services.runtime.transfer_settings import TransferSettings


@dataclass(frozen=True, slots=True)
class People:
    """Public keys by name, of those who may ask and of those who may approve."""

    requesters: Mapping[str, Ed25519PublicKey]
    approvers: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, settings: TransferSettings) -> Self:
        """Returns whom the settings name; SettingsError for a file without a key."""
        return cls(_public_keys(settings.requester_key_files), _public_keys(settings.approver_key_files))

    @property
    def everyone(self) -> dict[str, Ed25519PublicKey]:
        """All of them; either kind may revoke."""
        return {**self.requesters, **self.approvers}


def private_key(path: Path) -> Ed25519PrivateKey:
    """Returns the private key that a person keeps in a file; SettingsError where there is none."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"the file {path.name} holds no private key of Ed25519 in PEM form.")
    return key


def _public_keys(files: Mapping[str, Path]) -> dict[str, Ed25519PublicKey]:
    return {name: _public_key(path) for name, path in files.items()}


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"the file {path.name} holds no public key of Ed25519 in PEM form.")
    return key
