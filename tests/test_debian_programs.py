"""Where a package cannot be had, a program of the PATH serves and says so; or what to do is said."""

from pathlib import Path

import pytest

from tests import debian_programs
from tests.debian_programs import ProgramMissingError, program


@pytest.fixture(autouse=True)
def _a_machine_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_a_program_of_the_path_serves_and_a_warning_says_that_nobody_chose_its_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "bin" / "promtool"
    own.parent.mkdir()
    own.touch(mode=0o755)
    assert program("promtool") == own
    assert (
        f"WARNING: this machine has no apt-get and dpkg-deb; the tests use {own}" in capsys.readouterr().err
    )


def test_where_there_is_none_at_all_the_error_names_the_package() -> None:
    with pytest.raises(ProgramMissingError, match=r"Install Debian's package prometheus, or put promtool on"):
        program("promtool")


def test_a_mirror_that_hangs_is_a_reason_and_ends_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (("apt-get", "exec /bin/sleep 60"), ("dpkg-deb", "exit 1")):
        place = tmp_path / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
    monkeypatch.setattr("tests.debian_programs._APT_SECONDS", 1)
    with pytest.raises(ProgramMissingError, match="apt-get did not end within 1 s"):
        program("promtool")


def test_a_folder_of_the_package_that_leads_where_this_user_may_not_look_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    kept = tmp_path / "cache" / "comptoir" / "debian" / "prometheus-alertmanager" / "root" / "usr" / "bin"
    kept.mkdir(parents=True)
    (kept / "prometheus-alertmanager").touch()
    place = str(tmp_path / "share" / "alertmanager").removeprefix("/")
    monkeypatch.setattr(debian_programs, "_FIXED", {"prometheus-alertmanager": place})
    monkeypatch.setattr(Path, "exists", hidden)
    with pytest.raises(ProgramMissingError, match=r"is needed\. As root, once: mkdir -p .* && ln -sfn "):
        program("prometheus-alertmanager")


def test_what_was_fetched_before_is_taken_from_the_cache(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "comptoir" / "debian" / "prometheus" / "root" / "usr" / "bin" / "promtool"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert program("promtool") == kept
