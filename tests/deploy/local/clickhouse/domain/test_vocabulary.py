import pytest

from deploy.local.clickhouse.domain.vocabulary import (
    EngineFunction,
    Vocabulary,
    is_refused_engine,
)


def _function(
    name: str, category: str = "", alias_of: str = "", *, is_aggregate: bool = False
) -> EngineFunction:
    return EngineFunction(name, alias_of, category, is_aggregate)


ROWS = [
    _function("plus", "Arithmetic"),
    _function("sum", is_aggregate=True),
    _function("timezone", "Dates and Times"),
    _function("timeZone", alias_of="timezone"),
    _function("aiGenerate", "AI"),
    _function("AIGenerate", alias_of="aiGenerate"),
    _function("dictGet", "Dictionary"),
    _function("file", "Other"),
    _function("version", "Other"),
    _function("brandNew", "Brand New"),
    _function("view", "Other"),
]
VOCABULARY = Vocabulary.of(["max_threads"], ROWS, ["numbers", "merge", "url", "brandNewTable"])


@pytest.mark.parametrize(
    "name", ["plus", "sum", "SUM", "sumIf", "timezone", "version", "numbers", "of_a_client"]
)
def test_what_only_computes_may_be_called(name: str) -> None:
    assert not VOCABULARY.is_refused_call(name, is_writer=False)
    assert not VOCABULARY.is_refused_call(name, is_writer=True)


@pytest.mark.parametrize("name", ["dictGet", "brandNew", "BRANDNEW", "AIGenerate", "file", "view"])
def test_what_is_on_no_list_may_not(name: str) -> None:
    assert VOCABULARY.is_refused_call(name, is_writer=False)
    assert VOCABULARY.is_refused_name(name, is_writer=False)


@pytest.mark.parametrize("name", ["url", "brandNewTable", "BrandNewTable", "executable", "Python"])
@pytest.mark.parametrize("is_writer", [False, True])
def test_no_table_function_off_the_list_is_called_by_anybody(name: str, *, is_writer: bool) -> None:
    assert VOCABULARY.is_refused_call(name, is_writer=is_writer)
    assert VOCABULARY.is_refused_table_function(name, is_writer=is_writer)


def test_a_function_that_takes_names_of_tables_as_texts_is_the_writers() -> None:
    assert VOCABULARY.is_refused_call("merge", is_writer=False)
    assert not VOCABULARY.is_refused_call("merge", is_writer=True)


def test_engines_are_refused_until_they_are_listed() -> None:
    assert not is_refused_engine("Memory", is_writer=False)
    assert is_refused_engine("MergeTree", is_writer=False)
    assert not is_refused_engine("ReplacingMergeTree", is_writer=True)
    for name in ("S3", "BrandNew", ""):
        assert is_refused_engine(name, is_writer=True)
