"""A tokenizer that counts, or a sentence that says why there is none."""

from pathlib import Path

import pytest

from services.cli.adapters.tokenizer import counting_by
from services.cli.bench.errors import BenchError

TINY_EU = Path(__file__).resolve().parents[4] / "deploy" / "models" / "tiny-eu"


def test_a_tokenizer_is_a_file_or_its_folder() -> None:
    for path in (TINY_EU, TINY_EU / "tokenizer.json"):
        assert counting_by(path)("Bonjour, un café crème.") == counting_by(TINY_EU)("Bonjour, un café crème.")
    assert counting_by(TINY_EU)("") == 0


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no tokenizer\.json"):
        counting_by(tmp_path)
