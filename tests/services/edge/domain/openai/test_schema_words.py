"""Every keyword of JSON Schema has words for what it must be."""

from services.contract.json_schema import KEYWORDS
from services.edge.domain.openai.schema_words import KEYWORD_WORDS, keywords_of


def test_a_keyword_that_is_served_is_not_told_to_be_absent() -> None:
    assert KEYWORD_WORDS.keys() == KEYWORDS
    assert KEYWORD_WORDS["uniqueItems"] == "absent from the schema"
    assert KEYWORD_WORDS["pattern"].startswith("a regular expression without look-around")
    assert "absent" not in KEYWORD_WORDS["type"]


def test_a_keyword_is_named_below_its_schema() -> None:
    assert keywords_of("s", "t")["t.minLength"] == "a whole number from 0"
