"""What the engine would let a client of the front do, and the front does not."""

from pathlib import Path

import httpx
import pytest

from tests.system.clickhouse_process import PASSWORD, WRITER, ClickHouseProcess, is_refused

pytestmark = [pytest.mark.system, pytest.mark.guarantee]

SECRET = "the-content-of-a-file-outside-the-store"


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "secret"
    path.write_text(SECRET, encoding="utf-8")
    return path


@pytest.fixture(params=["reader", "writer"])
def ask(request: pytest.FixtureRequest, store: ClickHouseProcess) -> "Ask":
    return Ask(store, is_writer=request.param == "writer")


class Ask:
    def __init__(self, store: ClickHouseProcess, *, is_writer: bool) -> None:
        self._url = store.url
        self._auth = (WRITER, PASSWORD) if is_writer else None

    def __call__(self, query: str, **parameters: str) -> httpx.Response:
        return httpx.post(self._url, params=parameters, content=query, auth=self._auth, timeout=60.0)


def test_into_outfile_writes_no_file(ask: Ask, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for query in (
        f"SELECT 1 INTO OUTFILE '{target}'",
        f"SELECT 1 INTO/**/OUTFILE '{target}' TRUNCATE FORMAT CSV",
        f"SELECT 1 -- a comment\n into outfile '{target}' AND STDOUT",
        f"EXPLAIN SELECT 1 INTO OUTFILE '{target}'",
        f"SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{target}'",
    ):
        assert is_refused(ask(query)), query
    assert not target.exists()


FILE_READS = [
    "SELECT file('{path}')",
    "SELECT FILE('{path}')",
    "SELECT `file`('{path}')",
    "SELECT \"file\"('{path}')",
    "SELECT /* */ file /* */ ('{path}')",
    "SELECT file('{path}', 'x')",
    "SELECT arrayMap(file, ['{path}'])",
    "SELECT arrayMap(x -> file(x), ['{path}'])",
    "SELECT * APPLY file FROM (SELECT '{path}' AS x)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{path}' AS x)",
    "SELECT COLUMNS('x') APPLY file FROM (SELECT '{path}' AS x)",
    "WITH file('{path}') AS y SELECT y",
    "SELECT 1 WHERE throwIf(1, file('{path}'))",
    "SELECT 'x' IN file('{path}')",
    "SELECT * FROM view(SELECT file('{path}'))",
    "SELECT * FROM (SELECT file('{path}'))",
    "EXPLAIN SELECT file('{path}')",
    "EXPLAIN SYNTAX run_query_tree_passes = 1 SELECT file('{path}')",
    "DESCRIBE (SELECT file('{path}'))",
    "SHOW TABLES WHERE file('{path}') != ''",
    "SHOW COLUMNS FROM system.one WHERE throwIf(1, file('{path}'))",
    "SELECT * FROM file('{path}', 'RawBLOB')",
    "SELECT * FROM '{path}'",
    "SELECT * FROM `{path}`",
    "SELECT * FROM values('a UInt8, b String ALIAS file(''{path}'')', 1)",
    "SELECT * FROM format(JSONEachRow, 'a UInt8, b String DEFAULT file(''{path}'')', '{{\"a\":1}}')",
    "SELECT b FROM generateRandom('a UInt8, b String ALIAS file(''{path}'')') LIMIT 1",
    "SELECT b FROM null('a UInt8, b String ALIAS file(''{path}'')')",
    "SELECT 1 SETTINGS additional_result_filter = 'throwIf(1, file(''{path}''))'",
    "SELECT 1 FROM system.one SETTINGS additional_table_filters = {{'system.one': 'file(''{path}'')'}}",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{path}'",
    "SELECT 1 AS x FORMAT Template SETTINGS format_template_row = '{path}'",
    "SELECT 1 AS x FORMAT CapnProto SETTINGS format_schema = '{path}:X', format_schema_source = 'file'",
    "CREATE TEMPORARY TABLE read_it (a UInt8, b String DEFAULT file('{path}'))",
    "CREATE TEMPORARY TABLE read_it ENGINE = File(RawBLOB, '{path}')",
    "CREATE TEMPORARY TABLE read_it AS SELECT file('{path}')",
    "CREATE VIEW comptoir.read_it AS SELECT file('{path}')",
    "CREATE TABLE comptoir.read_it (a String) ENGINE = File(RawBLOB, '{path}')",
    "CREATE TABLE comptoir.read_it ENGINE = Memory AS SELECT file('{path}')",
    "CREATE DICTIONARY d (a String) PRIMARY KEY a SOURCE(FILE(PATH '{path}' FORMAT CSV)) LAYOUT(HASHED())",
    "CREATE FUNCTION read_it AS x -> file(x)",
    "INSERT INTO FUNCTION null('a String') SELECT file('{path}')",
]


@pytest.mark.parametrize("query", FILE_READS)
def test_no_query_reads_a_file(ask: Ask, secret_file: Path, query: str) -> None:
    answer = ask(query.format(path=secret_file))
    assert is_refused(answer)
    assert SECRET not in answer.text


def test_no_parameter_names_a_function_that_reads_a_file(ask: Ask, secret_file: Path) -> None:
    for name in ("file", "FILE", " file", "fi\\le"):
        query = f"SELECT arrayMap({{f:Identifier}}, ['{secret_file}'])"
        answer = ask(query, param_f=name)
        assert is_refused(answer)
        assert SECRET not in answer.text


def test_expressions_in_inserted_values_are_not_evaluated(ask: Ask, secret_file: Path) -> None:
    session = {"session_id": "values-of-" + ("writer" if ask._auth else "reader")}
    assert ask("CREATE TEMPORARY TABLE read_it (a String)", **session).status_code == 200
    insert = f"INSERT INTO read_it VALUES (file('{secret_file}'))"  # noqa: S608 - that is the point
    assert is_refused(ask(insert, **session))
    setting = "input_format_values_interpret_expressions"
    assert is_refused(ask(insert, **session, **{setting: "1"}))
    assert is_refused(ask(insert.replace(" VALUES", f" SETTINGS {setting} = 1 VALUES"), **session))
    assert is_refused(ask(f"SET {setting} = 1", **session))
    assert ask("SELECT count() FROM read_it", **session).text == "0\n"


def test_the_memory_of_the_process_is_no_table(ask: Ask) -> None:
    for query in (
        "SELECT * FROM Python(settings)",
        "SELECT * FROM python(settings)",
        "SELECT * FROM `Python`('settings')",
        "DESCRIBE TABLE Python(settings)",
        "SELECT * FROM view(SELECT * FROM Python(settings))",
        "SELECT 1 WHERE 1 IN (SELECT * FROM Python(settings))",
        "SELECT * FROM arrowstream(settings)",
    ):
        assert is_refused(ask(query)), query


def test_several_statements_do_not_run(ask: Ask, store: ClickHouseProcess) -> None:
    for query in (
        "SELECT 1; SELECT 2",
        "SELECT 1;;SELECT 2",
        "SELECT 1; DROP TABLE comptoir.kept",
        "SELECT '\\'; SELECT 2",
        "SELECT 1 /* ; */ ; SELECT 2",
        "SELECT 1\\n; SELECT 2",
        "SELECT 1 PARALLEL WITH SELECT 2",
    ):
        assert is_refused(ask(query)), query
    # One semicolon at the end is still one statement.
    assert ask("SELECT 1;").text == "1\n"


def test_the_checked_text_is_what_runs(ask: Ask) -> None:
    """A bound parameter is unescaped once; unless that is undone the check would see another statement."""
    for literal in (r"a\\b", r"it\'s", r"\t\n\0", r"\\t"):
        assert ask(f"SELECT '{literal}'").text == literal + "\n"
    assert ask("SELECT 'a\tb\nc'").text == r"a\tb\nc" + "\n"
    assert ask("SELECT $tag$it's$tag$").text == "it\\'s\n"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM url('http://127.0.0.1:1/', 'RawBLOB')",
        "SELECT * FROM s3('http://127.0.0.1:1/b/k')",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
        "SELECT * FROM cluster('default', system.one)",
        "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
        "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
        "SELECT * FROM sqlite('/tmp/x.db', 't')",
        "SELECT * FROM odbc('DSN=x', 'd', 't')",
        "SELECT * FROM jdbc('x', 'd', 't')",
        "SELECT * FROM executable('cat', 'TSV', 'a String')",
        "SELECT * FROM mongodb('127.0.0.1:1', 'd', 'c', 'u', 'p', 'a String')",
        "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String, v String')",
        "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'RawBLOB')",
        "SELECT * FROM icebergLocal('/tmp/x')",
        "SELECT * FROM deltaLakeLocal('/tmp/x')",
        "SELECT * FROM filesystem('/')",
        "SELECT * FROM eval('SELECT 1')",
        "SELECT * FROM fuzzQuery('SELECT 1')",
        "SELECT * FROM format(AvroConfluent, 'x')",
        "SELECT aiGenerate('x')",
        "SELECT AIEmbed('x')",
        "INSERT INTO comptoir.t FROM INFILE '/etc/hostname' FORMAT CSV",
        "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a UInt8') VALUES (1)",
        "INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'a UInt8') VALUES (1)",
        "BACKUP TABLE comptoir.t TO File('/tmp/x')",
        "RESTORE TABLE comptoir.t FROM File('/tmp/x')",
        "ATTACH TABLE comptoir.x FROM '/tmp/x' (a UInt8) ENGINE = MergeTree ORDER BY a",
        "CREATE DATABASE x ENGINE = SQLite('/tmp/x.db')",
        "CREATE DATABASE x ENGINE = Filesystem('/')",
        "CREATE TABLE comptoir.x (a UInt8) ENGINE = URL('http://127.0.0.1:1/', CSV)",
        "CREATE TABLE comptoir.x (a UInt8) ENGINE = Executable('cat', TSV)",
        "CREATE TABLE x (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local)",
        "CREATE MATERIALIZED VIEW comptoir.x ENGINE = File(CSV) AS SELECT 1 AS a",
        "CREATE TABLE comptoir.x (a UInt8) ENGINE = `File`(CSV)",
        "CREATE TABLE comptoir.x (a UInt8) ENGINE File(CSV)",
        "CREATE NAMED COLLECTION c AS a = 1",
        "CREATE USER u",
        "GRANT ALL ON *.* TO default",
        "SET ROLE writer",
        "SET ROLE ALL",
        "SET DEFAULT ROLE writer TO default",
        "EXECUTE AS default SELECT 1",
        "SYSTEM SHUTDOWN",
        "SYSTEM KILL",
        "SYSTEM RELOAD CONFIG",
        "SYSTEM DROP DNS CACHE",
        "BEGIN TRANSACTION",
        "SET dialect = 'kusto'",
        "SET `dialect` = 'prql'",
        "SET profile = 'default'",
        "SELECT 1 SETTINGS dialect = 'kusto', allow_experimental_kusto_dialect = 1",
        "SELECT 1 SETTINGS allow_introspection_functions",
        "SELECT 1 SETTINGS log_queries = 1, allow_introspection_functions = 1",
        "SELECT * FROM system.one SETTINGS input_format_record_errors_file_path = '/tmp/x'",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS max_execution_time = 100000",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SET max_result_bytes = 0",
    ],
)
def test_nothing_else_leads_out_of_the_store(ask: Ask, query: str) -> None:
    assert is_refused(ask(query))


@pytest.mark.parametrize(
    "name",
    [
        "dialect",
        "profile",
        "role",
        "allow_introspection_functions",
        "additional_result_filter",
        "format_template_row",
        "input_format_record_errors_file_path",
        "format_avro_schema_registry_url",
        "no_such_setting",
        "max_threads = 1, dialect",
        "x'",
    ],
)
def test_the_url_gives_no_dangerous_setting(ask: Ask, name: str) -> None:
    assert is_refused(ask("SELECT 1", **{name: "1"}))
