"""Links to a console: where it is found, and what lets in once."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets
from services.cli.console_link import console_url, link_of, sign_in_link
from services.contract.sign_in_link import verified_nonce
from services.runtime.settings import read_secret

NOW = 1_790_000_000.5


def test_a_link_holds_a_token_of_the_secret_behind_the_hash(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("ab" * 32)
    first, second = (sign_in_link("http://127.0.0.1:8414", file, NOW) for _ in range(2))
    url, _, token = first.partition("/#")
    assert url == "http://127.0.0.1:8414"
    assert verified_nonce(read_secret(file, length_bytes=32), token, NOW)
    assert first != second


def test_without_the_secret_there_is_no_link(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No link can be made"):
        sign_in_link("http://127.0.0.1:8414", tmp_path / "none", NOW)


def test_a_stacks_link_is_made_from_its_own_secret_where_it_has_a_console(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.create()
    create_secrets(paths)
    state = {"data_dir": str(tmp_path), "console": "http://127.0.0.1:8414"}
    assert link_of(state, NOW).startswith("http://127.0.0.1:8414/#")
    assert link_of({**state, "console": ""}, NOW) == ""
    assert link_of({"data_dir": str(tmp_path)}, NOW) == ""


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ({"listen": {"port": 8414}}, "http://127.0.0.1:8414"),
        ({"listen": {"host": "0.0.0.0", "port": 443, "tls": {}}}, "http://127.0.0.1:443"),  # noqa: S104
        ({"listen": {"host": "::", "port": 443, "tls": {"ca": 1}}}, "https://127.0.0.1:443"),
        ({"listen": {"host": "::1", "port": 1}}, "http://[::1]:1"),
        ({"listen": {"port": 443, "tls": {"a": 1}}, "public_names": ["c.example"]}, "https://c.example:443"),
    ],
)
def test_a_console_is_found_where_its_settings_say(section: dict[str, Any], url: str) -> None:
    assert console_url(section) == url


def test_settings_without_a_console_say_what_is_missing() -> None:
    with pytest.raises(StackError, match="console"):
        console_url({})
