import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.local.clickhouse.domain.errors import StoreError
from services.local.clickhouse.domain.statement import check_parameters, check_text, check_tree

SETTINGS = frozenset({"dialect", "max_threads", "format", "readonly", "format_schema"})
SELECT_TREE = "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 1)\n"


def _check_text(text: str, *, is_writer: bool = False) -> None:
    check_text(text, is_writer=is_writer, engine_settings=SETTINGS)


@pytest.mark.parametrize(
    "text",
    [
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
    _check_text(text)


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
        check_tree("SYSTEM FLUSH LOGS", kind, is_writer=False)
    assert raised.value.code == 164
    assert check_tree("SYSTEM FLUSH LOGS", kind, is_writer=True).kind == kind.split(" ", maxsplit=1)[0]


@pytest.mark.parametrize(
    "kind",
    ["BackupQuery", "SetRoleQuery", "CreateUserQuery", "ExecuteAsQuery", "ParallelWithQuery", "", "New"],
)
@pytest.mark.parametrize("is_writer", [False, True])
def test_a_kind_that_is_not_on_the_list_is_refused(kind: str, *, is_writer: bool) -> None:
    with pytest.raises(StoreError):
        check_tree("X", kind, is_writer=is_writer)


def test_table_functions_are_on_a_list_and_functions_in_other_places_are_not_meant() -> None:
    table = " TableExpression (children 1)\n  Function {} (children 1)\n"
    check_tree("SELECT 1", SELECT_TREE + table.format("numbers"), is_writer=False)
    check_tree("SELECT 1", SELECT_TREE + "   Function format (children 1)\n", is_writer=False)
    for name in ("url", "values", "format", "Python", "newTableFunction"):
        with pytest.raises(StoreError):
            check_tree("SELECT 1", SELECT_TREE + table.format(name), is_writer=True)


def test_the_format_is_the_last_clauses_and_an_insert_is_cut_before_it() -> None:
    select = check_tree(
        "SELECT format('x')\nFORMAT JSON\nSETTINGS max_threads = 1", SELECT_TREE, is_writer=False
    )
    assert select.format == "JSON"
    inner = check_tree("SELECT *\nFROM view(SELECT 1 FORMAT CSV)", SELECT_TREE, is_writer=False)
    assert inner.format == ""
    insert = check_tree("INSERT INTO t (a)\nSETTINGS x = 1\nFORMAT RowBinary", "InsertQuery", is_writer=True)
    assert insert.insert_head == "INSERT INTO t (a)\nSETTINGS x = 1"


@pytest.mark.parametrize("value", ["file", "FILE", " file\n", "aiGenerate", "fi\\le"])
def test_a_parameter_cannot_name_what_the_text_cannot(value: str) -> None:
    with pytest.raises(StoreError):
        check_parameters("SELECT arrayMap({f:Identifier}, a)", {"f": value})
    check_parameters("SELECT {f:String}", {"f": value})
