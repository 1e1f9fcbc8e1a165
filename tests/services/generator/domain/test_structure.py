"""A refusal of a schema names a keyword of JSON Schema, and no word of the caller."""

import pytest

from services.contract.json_schema import KEYWORDS
from services.generator.domain.structure import FIELD, refused
from services.kernel.errors import Reason


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_a_keyword_is_named(keyword: str) -> None:
    error = refused(keyword, "tools[3].parameters_schema")
    assert (error.reason, error.field) == (
        Reason.PARAMETER_UNSUPPORTED,
        f"tools[3].parameters_schema.{keyword}",
    )


@pytest.mark.parametrize("word", ["", "-", "geheim", "NOT", "type.secret"])
def test_any_other_word_is_not(word: str) -> None:
    assert refused(word).field == FIELD
