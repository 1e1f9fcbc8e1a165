"""Each process says for itself whether it can use its settings."""

from pathlib import Path

import pytest

from services.cli.adapters.doctor.processes import check_settings
from services.cli.doctor.finding import Level
from services.runtime.settings import environment


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("emitter: {", "not valid YAML"),
        ("emitter: {no_such_key: hidden}", "section emitter"),
    ],
)
async def test_what_a_process_cannot_use_is_told_in_its_own_words(
    tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "comptoir.yaml"
    file.write_text(content)
    finding = await check_settings("emitter", "emitter", file, environment())
    assert finding.level is Level.FAIL
    assert says in finding.sentence
    assert "hidden" not in finding.sentence


async def test_what_a_process_says_that_is_no_sentence_is_not_repeated(tmp_path: Path) -> None:
    # Such as where what it imports is not installed: nothing is known of the words of other programs.
    broken = {**environment(), "PYTHONPATH": str(tmp_path)}
    (tmp_path / "structlog.py").write_text("raise RuntimeError('hidden')")
    file = tmp_path / "comptoir.yaml"
    file.write_text("{}")
    finding = await check_settings("emitter", "emitter", file, broken)
    assert finding.level is Level.FAIL
    assert "hidden" not in finding.sentence
