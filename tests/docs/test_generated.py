"""The parts of the pages that follow from the code are current, and stale ones are found."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATE = ROOT / "docs" / "generate.py"


def check(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_part_is_what_the_code_says() -> None:
    result = check(GENERATE)
    assert (result.stdout + result.stderr, result.returncode) == ("", 0)


def test_a_part_that_is_stale_is_named_with_its_cure(tmp_path: Path) -> None:
    script = tmp_path / GENERATE.name
    script.write_text(GENERATE.read_text(encoding="utf-8"), encoding="utf-8")
    for page_file in (ROOT / "docs").glob("*.md"):
        shutil.copy(page_file, tmp_path)
    page = (tmp_path / "grpc.md").read_text(encoding="utf-8")
    (tmp_path / "grpc.md").write_text(
        page.replace("`TICKET_EXPIRED` |", "`TICKET_STALE` |"), encoding="utf-8"
    )
    result = check(script)
    assert result.returncode == 1
    assert "grpc.md; run make docs" in result.stdout
