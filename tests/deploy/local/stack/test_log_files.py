"""Logs are appended to, and begun anew once they are long."""

from pathlib import Path

import pytest

from deploy.local.stack import log_files
from deploy.local.stack.log_files import open_log


def test_a_log_goes_on_until_it_is_long_and_is_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "_MAX_BYTES", 10)
    path = tmp_path / "edge.log"
    for line in (b"first-line\n", b"second-line\n", b"third\n", b"fourth\n"):
        with open_log(path) as log:
            log.write(line)
    assert path.read_bytes() == b"third\nfourth\n"
    assert (tmp_path / "edge.log.1").read_bytes() == b"second-line\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_log_that_everybody_could_read_is_closed(tmp_path: Path) -> None:
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    old.write_text("")
    old.chmod(0o644)
    for path in (old, new):
        with open_log(path):
            assert path.stat().st_mode & 0o777 == 0o600
