"""A bench against a real HTTP endpoint: its only model, its URL without secrets, and its tokenizer."""

from pathlib import Path

import pytest

from services.cli.bench.errors import BenchError
from services.cli.benching import counting_by, without_secrets

TINY_EU = Path(__file__).resolve().parents[3] / "deploy" / "models" / "tiny-eu"


def test_a_url_is_written_down_without_what_may_open_something() -> None:
    assert without_secrets("https://user:pass@host:8/v1?key=s#f") == "https://host:8/v1"


def test_a_tokenizer_is_a_file_or_its_folder() -> None:
    for path in (TINY_EU, TINY_EU / "tokenizer.json"):
        assert counting_by(path)("Bonjour, un café crème.") == counting_by(TINY_EU)("Bonjour, un café crème.")
    assert counting_by(TINY_EU)("") == 0


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no tokenizer\.json"):
        counting_by(tmp_path)
