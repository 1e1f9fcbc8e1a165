"""A refusal of a schema names a keyword of JSON Schema, and no word of the caller."""

import pytest

from services.contract.json_schema import KEYWORDS
from services.generator.domain.structure import FIELD, Structure, refused
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


def test_one_of_some_texts_is_a_grammar_in_which_they_stand_as_they_are() -> None:
    assert Structure.of_texts(["é", 'a"\n']).grammar == 'start: "é" | "a\\"\\n"'


@pytest.mark.parametrize(
    ("pattern", "inner"),
    [
        (r"\d{3}-\d{2}", r"\d{3}-\d{2}"),
        ("^(oui|non)$", "(oui|non)"),
        # Nothing of it ends the expression or begins another line of the grammar.
        ("a/b", r"a\/b"),
        (r"a\/b", r"a\/b"),
        (r"a\\/b", r"a\\\/b"),
        ("a\nstart: /b/", r"a\nstart: \/b\/"),
        ("a\\\nb", r"a\nb"),
        (r"10\$", r"10\$"),
        (r"\\$", r"\\"),
    ],
)
def test_a_pattern_is_a_grammar_of_one_line_without_its_anchors(pattern: str, inner: str) -> None:
    assert Structure.of_pattern(pattern).grammar == f"start: /{inner}/"


def test_a_structure_is_named_as_callers_know_it() -> None:
    assert Structure("{}").field == FIELD
    assert Structure.of_pattern("a").field == "structure.pattern"
    assert Structure.of_texts("a").field == "structure"


def test_a_schema_is_a_grammar_too_without_white_space_and_no_other_reader_takes_either() -> None:
    assert Structure('{"const": 5}').lark == (
        '%llguidance {}\nstart: %json {"const": 5, "x-guidance": {"whitespace_flexible": false}}'
    )
    assert Structure.of_texts(["a"]).lark == '%llguidance {}\nstart: "a"'
