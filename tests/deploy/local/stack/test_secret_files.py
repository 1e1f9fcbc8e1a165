"""Secrets: made once, whole or not at all, readable by their owner only."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets, write_api_key
from services.runtime.settings import read_secret


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    paths = DataPaths(tmp_path / "data")
    paths.create()
    return paths


def content(paths: DataPaths) -> dict[str, str]:
    return {path.name: path.read_text() for path in paths.secrets.iterdir()}


def test_secrets_are_for_their_owner_only_and_are_made_once(paths: DataPaths) -> None:
    before = os.umask(0)
    try:
        create_secrets(paths)
    finally:
        os.umask(before)
    first = content(paths)
    create_secrets(paths)
    assert content(paths) == first
    assert len(set(first.values())) == len(first) == 8
    for path in paths.secrets.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(read_secret(path, length_bytes=32)) == 32


def test_the_public_key_is_that_of_the_signing_key(paths: DataPaths) -> None:
    create_secrets(paths)
    seed = read_secret(paths.secrets / "signing-key", length_bytes=32)
    public = read_secret(paths.secrets / "ticket-1.pub", length_bytes=32)
    assert Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() == public


def test_a_missing_secret_is_made_and_the_others_stay(paths: DataPaths) -> None:
    create_secrets(paths)
    first = content(paths)
    (paths.secrets / "ticket-1.pub").unlink()
    (paths.secrets / "pepper").unlink()
    create_secrets(paths)
    second = content(paths)
    assert second.pop("pepper") != first.pop("pepper")
    assert second == first


def test_a_start_that_is_killed_leaves_whole_secrets_only(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def killed(_descriptor: int) -> None:
        raise KilledError

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KilledError):
        create_secrets(paths)
    monkeypatch.undo()
    assert not (paths.secrets / "pepper").exists()
    create_secrets(paths)
    assert read_secret(paths.secrets / "pepper", length_bytes=32)


def test_a_broken_signing_key_is_one_sentence(paths: DataPaths) -> None:
    (paths.secrets / "signing-key").write_text("not a key")
    with pytest.raises(StackError, match="signing-key") as refused:
        create_secrets(paths)
    assert "not a key" not in str(refused.value)


def test_the_api_key_is_kept_once(paths: DataPaths) -> None:
    write_api_key(paths, "first")
    write_api_key(paths, "second")
    assert paths.api_key.read_text() == "first\n"
    assert paths.api_key.stat().st_mode & 0o777 == 0o600
