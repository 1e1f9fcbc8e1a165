"""The secrets of a stack on one machine: made once, kept in files that only their owner can read."""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.runtime.new_file import new_file
from services.runtime.settings import SettingsError, read_secret

SIGNING_KEY_NUMBER: Final = 1
_SECRET_BYTES: Final = 32
_RANDOM: Final = (
    "pepper",
    "signing-key",
    "cache-salt",
    "prompt-prefixes",
    "pseudonym-epoch-1",
    "clickhouse-writer-password",
    "console-sign-in",
)


def create_secrets(paths: DataPaths) -> None:
    """Makes each secret that is missing and leaves the others as they are."""
    for name in _RANDOM:
        _write_once(paths.secrets / name, secrets.token_bytes(_SECRET_BYTES).hex())
    try:
        seed = read_secret(paths.secrets / "signing-key", length_bytes=_SECRET_BYTES)
    except SettingsError as error:
        raise StackError(f"{paths.secrets}: {error}") from None
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    _write_once(paths.secrets / f"ticket-{SIGNING_KEY_NUMBER}.pub", public.hex())


def write_api_key(paths: DataPaths, api_key: str) -> None:
    """Keeps the first API key for the person who started the stack."""
    _write_once(paths.api_key, api_key)


def _write_once(path: Path, text: str) -> None:
    if path.exists():
        return
    # A kill or a power cut leaves the whole secret or none.
    with new_file(path) as aside, aside.open("w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
