"""A password is that of its file at the moment; as text it is empty, whoever prints it."""

from pathlib import Path

import pytest

from services.runtime import reloaded_tls
from services.runtime.kafka_target import KafkaUser
from services.runtime.reloaded_password import ReloadedPassword
from services.runtime.settings_error import SettingsError


@pytest.fixture
def user(tmp_path: Path) -> KafkaUser:
    (tmp_path / "secret").write_text("before\n")
    return KafkaUser(user="emitter", password_file=tmp_path / "secret")


def of(user: KafkaUser) -> ReloadedPassword:
    return ReloadedPassword.of("kafka.example:1", user.password_file, user.password)


def test_a_changed_file_is_read_again(user: KafkaUser) -> None:
    password = of(user)
    assert password.encode() == b"before"
    user.password_file.write_text("afterwards\n")
    assert password.encode("utf-8") == b"afterwards"


def test_what_cannot_be_used_changes_nothing_and_is_told_once(
    user: KafkaUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr(
        reloaded_tls._log, "error", lambda event, **fields: told.append((event, fields["kind"]))
    )
    password = of(user)
    user.password_file.write_text("")
    assert [password.encode() for _ in range(3)] == [b"before"] * 3
    assert told == [("password_unusable", "kafka.example:1")]
    user.password_file.unlink()
    user.password_file.write_text("afterwards")
    assert password.encode() == b"afterwards"


def test_nobody_prints_it(user: KafkaUser) -> None:
    password = of(user)
    assert "before" not in f"{password} {password!r} {password:>10}"
    assert password is not None


def test_a_file_that_is_not_there_at_first_is_told(user: KafkaUser) -> None:
    user.password_file.unlink()
    with pytest.raises(SettingsError, match="the secret file secret cannot be read"):
        of(user)
