"""A link is for the run of a console that answers, from its secret; who has neither gets a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime.sign_in_link import NoLinkError, console_url, main, section_link, sign_in_link
from tests.ports import free_port
from tests.services.runtime.consoles import MOMENT, run_of_a_console

SECRET = b"\xab" * 32


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET.hex())
    return file


def test_a_link_holds_a_token_of_the_run_behind_the_hash(secret_file: Path) -> None:
    with run_of_a_console() as console:
        first, second = (sign_in_link([console], secret_file) for _ in range(2))
    url, _, token = first.partition("/#")
    assert url == console
    assert MOMENT.verified_nonce(SECRET, token)
    assert first != second


def test_a_console_that_is_not_reached_by_its_name_is_asked_where_it_listens(secret_file: Path) -> None:
    with run_of_a_console() as console:
        port = int(console.rpartition(":")[2])
        section = {"listen": {"port": port}, "public_names": ["127.0.0.9"], "secret_file": secret_file}
        assert section_link(section).startswith(f"http://127.0.0.9:{port}/#")


def test_a_console_without_links_has_its_address() -> None:
    assert section_link({"listen": {"port": 8414}}) == "http://127.0.0.1:8414"


def test_without_the_secret_or_without_a_run_there_is_no_link(tmp_path: Path, secret_file: Path) -> None:
    with pytest.raises(NoLinkError, match="secret file none cannot be read"):
        sign_in_link(["http://127.0.0.1:8414"], tmp_path / "none")
    with pytest.raises(NoLinkError, match="start it"):
        sign_in_link([f"http://127.0.0.1:{free_port()}"], secret_file)


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ({"listen": {"port": 8414}}, "http://127.0.0.1:8414"),
        ({"listen": {"host": "0.0.0.0", "port": 443, "tls": {}}}, "http://127.0.0.1:443"),  # noqa: S104
        ({"listen": {"host": "::", "port": 443, "tls": {"ca": 1}}}, "https://[::1]:443"),
        ({"listen": {"host": "::1", "port": 1}}, "http://[::1]:1"),
        ({"listen": {"port": 443, "tls": {"a": 1}}, "public_names": ["c.example"]}, "https://c.example:443"),
    ],
)
def test_a_console_is_found_where_its_settings_say(section: dict[str, Any], url: str) -> None:
    assert console_url(section) == url


def test_its_container_prints_a_link_or_says_why_not(
    tmp_path: Path, secret_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "comptoir.yaml"
    with run_of_a_console() as console:
        listen = {"port": int(console.rpartition(":")[2])}
        config.write_text(yaml.safe_dump({"console": {"listen": listen, "secret_file": str(secret_file)}}))
        main(["--config", str(config)])
        assert capsys.readouterr().out.startswith(f"{console}/#")
    for ended in (config, tmp_path / "none.yaml"):
        with pytest.raises(SystemExit, match="1"):
            main(["--config", str(ended)])
        assert capsys.readouterr().err.startswith("comptoir console: ")
