import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.statement import (
    Statement,
    check_database,
    check_parameters,
    check_text,
    check_tree,
    with_flat_names,
)
from deploy.local.clickhouse.domain.vocabulary import EngineFunction, Vocabulary

SETTINGS = frozenset({"dialect", "max_threads", "format", "readonly", "format_schema"})
FUNCTIONS = [
    EngineFunction("format", "", "String Replacement", is_aggregate=False),
    EngineFunction("file", "", "Other", is_aggregate=False),
    EngineFunction("logTrace", "", "Introspection", is_aggregate=False),
    EngineFunction("arrayMap", "", "Arrays", is_aggregate=False),
    EngineFunction("ofALaterEngine", "", "Of A Later Engine", is_aggregate=False),
]
TABLE_FUNCTIONS = ("format", "merge", "newTableFunction", "numbers", "s3", "url", "values")
VOCABULARY = Vocabulary.of(SETTINGS, FUNCTIONS, TABLE_FUNCTIONS)
SELECT_TREE = "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 1)\n"


def _check_text(text: str, *, is_writer: bool = False) -> None:
    check_text(text, is_writer=is_writer, vocabulary=VOCABULARY)


def _check_tree(text: str, tree: str, *, is_writer: bool = False) -> Statement:
    return check_tree(text, tree, is_writer=is_writer, vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TEMPORARY TABLE t AS url('x')",
        "SELECT 1 IN s3('x')",
        "SELECT * APPLY (x -> x IN newTableFunction('x'))",
        "SHOW TABLES WHERE name IN (SELECT * FROM `url`('x'))",
        "SELECT 1\nINTO OUTFILE '/x'",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        "SELECT file('/x')",
        "SELECT FILE('/x')",
        "SELECT `file`('/x')",
        "SELECT arrayMap(file, ['/x'])",
        "SELECT * APPLY file",
        "SELECT aiGenerate('x')",
        "SELECT *\nFROM python(x)",
        "SELECT 1\nSETTINGS dialect = 'x'",
        "SELECT 1\nSETTINGS dialect",
        "SELECT 1\nSETTINGS max_threads = 1, `dialect` = 'x'",
        "SET dialect = 'x'",
        "SET profile = 'x'",
        "CREATE TABLE t\n(\n    `a` UInt8\n)\nENGINE = File(CSV)",
        "CREATE TABLE t\n(\n    `a` UInt8\n)\nENGINE = MergeTree\nSETTINGS disk = disk(path = '/x')",
    ],
)
@pytest.mark.parametrize("is_writer", [False, True])
def test_a_text_that_names_a_way_out_is_refused(text: str, *, is_writer: bool) -> None:
    with pytest.raises(StoreError) as raised:
        _check_text(text, is_writer=is_writer)
    assert raised.value.code == 497


@pytest.mark.parametrize(
    "text",
    [
        "SELECT\n    1 AS INTO,\n    2 AS OUTFILE",
        "SELECT 'file'",
        "SELECT 'INTO OUTFILE'",
        "SELECT profile",
        "SELECT python, disk\nFROM t",
        "SELECT 1\nSETTINGS max_threads = 1\nFORMAT JSON",
        "SELECT dialect\nFROM t",
        "UPDATE t SET dialect = 1 WHERE 1",
        "CREATE TABLE t\n(\n    `a` UInt8\n)\nENGINE = ReplacingMergeTree\nORDER BY (a, b)",
    ],
)
def test_a_text_that_only_looks_alike_is_not(text: str) -> None:
    _check_text(text, is_writer=True)


def test_a_schema_is_the_writers_to_give() -> None:
    text = "INSERT INTO t\nSETTINGS format_schema = 'message'\nFORMAT Protobuf"
    _check_text(text, is_writer=True)
    with pytest.raises(StoreError):
        _check_text(text)


@given(st.text())
def test_no_string_in_a_query_is_taken_for_its_text(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    _check_text(f"SELECT '{quoted}'")


@pytest.mark.parametrize("kind", ["KillQueryQuery", "AlterQuery", "OptimizeQuery", "SYSTEM query", "Rename"])
def test_what_changes_something_is_the_writers(kind: str) -> None:
    with pytest.raises(StoreError) as raised:
        _check_tree("SYSTEM FLUSH LOGS", kind, is_writer=False)
    assert raised.value.code == 164
    assert _check_tree("SYSTEM FLUSH LOGS", kind, is_writer=True).kind == kind.split(" ", maxsplit=1)[0]


@pytest.mark.parametrize(
    "kind",
    ["BackupQuery", "SetRoleQuery", "CreateUserQuery", "ExecuteAsQuery", "ParallelWithQuery", "", "New"],
)
@pytest.mark.parametrize("is_writer", [False, True])
def test_a_kind_that_is_not_on_the_list_is_refused(kind: str, *, is_writer: bool) -> None:
    with pytest.raises(StoreError):
        _check_tree("X", kind, is_writer=is_writer)


def test_table_functions_are_on_a_list_and_functions_in_other_places_are_not_meant() -> None:
    table = " TableExpression (children 1)\n  Function {} (children 1)\n"
    _check_tree("SELECT 1", SELECT_TREE + table.format("numbers"), is_writer=False)
    _check_tree("SELECT 1", SELECT_TREE + "   Function format (children 1)\n", is_writer=False)
    for name in ("url", "format", "Python", "newTableFunction"):
        with pytest.raises(StoreError):
            _check_tree("SELECT 1", SELECT_TREE + table.format(name), is_writer=True)


def test_the_format_is_the_last_clauses_and_an_insert_is_cut_before_it() -> None:
    select = _check_tree(
        "SELECT format('x')\nFORMAT JSON\nSETTINGS max_threads = 1",
        SELECT_TREE + "   Function format (children 1)\n",
        is_writer=False,
    )
    assert select.format == "JSON"
    inner = _check_tree("SELECT *\nFROM view(SELECT 1 FORMAT CSV)", SELECT_TREE, is_writer=False)
    assert inner.format == ""
    insert = _check_tree("INSERT INTO t (a)\nSETTINGS x = 1\nFORMAT RowBinary", "InsertQuery", is_writer=True)
    assert insert.insert_head == "INSERT INTO t (a)\nSETTINGS x = 1"


@pytest.mark.parametrize("value", ["file", "FILE", " file\n", "aiGenerate", "fi\\le", "logTrace"])
def test_a_parameter_cannot_name_what_the_text_cannot(value: str) -> None:
    with pytest.raises(StoreError):
        check_parameters([value], is_writer=False, vocabulary=VOCABULARY)
    check_parameters(["harmless"], is_writer=False, vocabulary=VOCABULARY)


@pytest.mark.parametrize("name", ["logTrace", "LOGTRACE", "ofALaterEngine"])
def test_a_reader_calls_only_functions_of_the_list_and_hands_none_of_the_others_over(name: str) -> None:
    for text in (f"SELECT {name}('x')", f"SELECT `{name}`('x')", f"SELECT arrayMap({name}, a)"):
        with pytest.raises(StoreError):
            _check_text(text)
        _check_text(text, is_writer=True)
    _check_text(f"SELECT t.{name}, '{name}'\nFROM t")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT *\nFROM system.errors",
        "SELECT *\nFROM `system`.`errors`",
        "SELECT 1 IN (system.errors)",
        "SELECT *\nFROM `system.errors`",
        "SELECT *\nFROM system.of_a_later_engine",
        "CREATE TEMPORARY TABLE t AS system.errors",
    ],
)
def test_a_reader_reads_no_table_of_system_that_shows_what_others_do(text: str) -> None:
    with pytest.raises(StoreError) as raised:
        _check_text(text)
    assert raised.value.code == 497
    _check_text(text, is_writer=True)
    _check_text(text.replace("errors", "tables").replace("of_a_later_engine", "columns"))


def test_a_name_that_a_parameter_gives_is_read_in_the_tree() -> None:
    for node in ("TableIdentifier system.errors (alias e)", "Identifier system.errors", "Identifier file"):
        with pytest.raises(StoreError):
            _check_tree("SELECT 1", f"{SELECT_TREE}   {node}\n")
    _check_tree("SELECT 1", f"{SELECT_TREE}   TableIdentifier system.tables\n")


def test_system_is_no_readers_current_database() -> None:
    with pytest.raises(StoreError):
        check_database("system", is_writer=False)
    with pytest.raises(StoreError):
        _check_tree("USE system", "UseQuery (children 1)\n Identifier system\n")
    check_database("system", is_writer=True)
    check_database("comptoir", is_writer=False)


def test_a_reader_makes_temporary_tables_in_memory_and_nothing_else() -> None:
    tree = "CreateQuery t (children 2)\n Identifier t\n Storage definition (children 1)\n  Function {}\n"
    _check_tree("CREATE TEMPORARY TABLE t", tree.format("Memory"))
    _check_tree("CREATE OR REPLACE TEMPORARY TABLE t", tree.format("Memory"))
    for engine in ("Log", "Merge", "Buffer", "URL", "OfALaterEngine"):
        with pytest.raises(StoreError):
            _check_tree("CREATE TEMPORARY TABLE t", tree.format(engine))
    with pytest.raises(StoreError) as raised:
        _check_tree("CREATE TABLE t", tree.format("Memory"))
    assert raised.value.code == 164
    _check_tree("CREATE TABLE t", tree.format("MergeTree"), is_writer=True)


def test_what_a_table_is_cut_and_ordered_by_is_no_engine_and_still_checked() -> None:
    tree = (
        "CreateQuery t (children 2)\n Identifier t\n Storage definition (children 3)\n"
        "  Function MergeTree\n  Function toDate (children 1)\n  Function {} (children 1)\n"
    )
    _check_tree("CREATE TABLE t", tree.format("tuple"), is_writer=True)
    with pytest.raises(StoreError):
        _check_tree("CREATE TABLE t", tree.format("file"), is_writer=True)


@pytest.mark.parametrize(
    "tree",
    [
        SELECT_TREE + "   TableExpression (children 1)\n    Function merge\n",
        "CreateQuery t (children 2)\n Identifier t\n Function url (children 1)\n",
        "InsertQuery   (children 2)\n Function numbers (children 1)\n",
        SELECT_TREE
        + "   Function notIn (children 1)\n    ExpressionList (children 2)\n     Function format\n",
    ],
)
def test_a_table_function_is_refused_wherever_one_can_stand(tree: str) -> None:
    with pytest.raises(StoreError):
        _check_tree("CREATE TEMPORARY TABLE t", tree)


def test_a_call_that_the_tree_does_not_show_is_taken_for_the_worse_of_its_meanings() -> None:
    shown = SELECT_TREE + "   Function format (children 1)\n"
    _check_tree("SELECT format('x')", shown)
    for text, tree in (
        ("SHOW TABLES WHERE format('x')", "ShowTables"),
        ("SELECT format('x'), format('y')", shown),
    ):
        with pytest.raises(StoreError):
            _check_tree(text, tree)


def test_a_part_of_a_later_engine_is_refused_to_a_reader() -> None:
    tree = SELECT_TREE + "   PartOfALaterEngine (children 1)\n"
    with pytest.raises(StoreError):
        _check_tree("SELECT 1", tree)
    _check_tree("SELECT 1", tree, is_writer=True)


def test_the_work_of_a_check_grows_with_the_tree_and_not_with_its_square() -> None:
    """Every node asks for its parent once: the way up is not walked again for each."""
    steps = []
    for size in (1_000, 2_000, 4_000):
        lines = ["SelectWithUnionQuery", " ExpressionList"]
        lines += ["  Function negate", "   ExpressionList", "    Identifier a"] * size
        text, tree = "SELECT " + ", ".join(["-a"] * size), "\n".join(lines)
        steps.append(_steps(text, tree))
    assert steps[2] < 4.4 * steps[0]


def _steps(text: str, tree: str) -> int:
    """How many lines of Python the check runs."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        _check_tree(text, tree)
    finally:
        sys.settrace(None)
    return count


def test_a_line_end_in_a_name_makes_no_line_of_the_tree() -> None:
    assert with_flat_names("SELECT a AS `b\\nc`, 'd\\ne'") == "SELECT a AS `b_c`, 'd\\ne'"
    assert with_flat_names("SELECT `a\\\\nb`") == "SELECT `a\\\\nb`"
