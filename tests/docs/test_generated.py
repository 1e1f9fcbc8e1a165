"""The parts of the pages that follow from the code are current, and stale ones are found."""

import shutil
import sys
from pathlib import Path

import pytest

from docs import generate


@pytest.fixture(autouse=True)
def _check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])


def test_every_part_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert (generate.main(), capsys.readouterr().out) == (0, "")


def test_a_part_that_is_stale_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for page_file in generate.DOCS.glob("*.md"):
        shutil.copy(page_file, tmp_path)
    page = (tmp_path / "errors.md").read_text(encoding="utf-8")
    (tmp_path / "errors.md").write_text(page.replace("`TICKET_EXPIRED`", "`TICKET_STALE`"), encoding="utf-8")
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    assert generate.main() == 1
    assert "errors.md; run make docs" in capsys.readouterr().out
