"""Nobody looks who has not signed on in one of the ways, and nothing beyond the machine is in plaintext."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.console.settings import ConsoleSettings, StoreTarget
from services.runtime.settings import SettingsError
from tests.services.console.conftest import SETTINGS, WITH_LINKS

TLS = {"certificate_file": "/c.pem", "private_key_file": "/k.pem"}
BEYOND = {"host": "0.0.0.0", "port": 443, "tls": TLS}  # noqa: S104
CLOSED = {"is_open_to_this_machine": False}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        WITH_LINKS,
        CLOSED | {"proxy": {"addresses": ["127.0.0.1", "fd00::/8"]}},
        WITH_LINKS | {"listen": BEYOND},
        CLOSED | {"listen": BEYOND | {"tls": TLS | {"client_ca_file": "/ca.pem"}}},
        {"edge": {"url": "https://edge.example"}, "store": {"url": "https://store.example:8443"}},
    ],
)
def test_a_console_with_a_way_to_sign_on_is_served(changed: dict[str, Any]) -> None:
    assert ConsoleSettings.model_validate(SETTINGS | changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (CLOSED, "it needs secret_file, proxy or listen.tls.client_ca_file"),
        (CLOSED | {"listen": BEYOND}, "it needs secret_file, proxy or listen.tls.client_ca_file"),
        ({"listen": BEYOND}, "is_open_to_this_machine needs a listen.host that is loopback"),
        (WITH_LINKS | {"listen": {"host": "0.0.0.0", "port": 1}}, "host is not loopback, so it needs tls"),  # noqa: S104
        (WITH_LINKS | {"is_open_to_this_machine": True}, "goes without secret_file and proxy"),
        (WITH_LINKS | {"proxy": {"addresses": ["10.0.0.0/8"]}}, "choose one"),
        (CLOSED | {"proxy": {"addresses": []}}, "at least 1"),
        (CLOSED | {"proxy": {"addresses": ["everyone"]}}, "IPv4 or IPv6"),
        (CLOSED | {"proxy": {"addresses": ["10.0.0.1", "0.0.0.0/0"]}}, "0.0.0.0/0 is everybody"),
        (CLOSED | {"proxy": {"addresses": ["::/00"]}}, "::/0 is everybody"),
        ({"edge": {"url": "http://edge.example"}}, "url is not loopback, so it needs https"),
        ({"store": {"url": "http://user:word@127.0.0.1:1"}}, "should match pattern"),
        ({"edge": {"url": "http://[::2]:1"}}, "url is not loopback"),
    ],
)
def test_any_other_is_refused_with_a_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as failure:
        ConsoleSettings.model_validate(SETTINGS | changed)
    assert said in str(failure.value)


def test_the_hosts_of_addresses_are_read_without_brackets_and_ports() -> None:
    found = [StoreTarget(url=url).host for url in ("http://[::1]:8123", "https://a.b:1", "https://a.b")]
    assert found == ["::1", "a.b", "a.b"]


def test_a_password_that_cannot_be_read_is_named_by_its_key(tmp_path: Path) -> None:
    file = tmp_path / "password"
    target = StoreTarget(url="http://127.0.0.1:1", password_file=file)
    with pytest.raises(SettingsError, match=r"console\.store\.password_file"):
        target.password()
    file.write_text("word\n")
    assert target.password().get_secret_value() == "word"
    assert StoreTarget(url="http://127.0.0.1:1").password().get_secret_value() == ""


def test_tls_files_that_are_none_are_refused(tmp_path: Path) -> None:
    listen = {"host": "127.0.0.1", "port": 0, "tls": {name: str(tmp_path / name) for name in TLS}}
    settings = ConsoleSettings.model_validate(SETTINGS | WITH_LINKS | {"listen": listen})
    assert settings.listen.tls is not None
    with pytest.raises(SettingsError, match=r"console\.listen"):
        settings.listen.tls.ssl_context()
