"""Where a package cannot be had, a program of the PATH serves and says so; or what to do is said."""

from pathlib import Path

import pytest

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


def test_what_was_fetched_before_is_taken_from_the_cache(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "comptoir" / "debian" / "prometheus" / "root" / "usr" / "bin" / "promtool"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert program("promtool") == kept
