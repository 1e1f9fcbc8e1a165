"""Everything that the engine says it has, in every place where it can stand: refused unless it is listed.

The names come from the engine's own tables, so what a later version adds is tried the day it is installed.
"""

from collections.abc import Mapping, Sequence

import pytest

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.server.checker import StatementChecker

pytestmark = pytest.mark.system

HARMLESS_TABLE_FUNCTIONS = {
    "generate_series",
    "generateSeries",
    "numbers",
    "numbers_mt",
    "primes",
    "values",
    "view",
    "zeros",
    "zeros_mt",
}
READABLE_OF_SYSTEM = {
    "aggregate_function_combinators",
    "build_options",
    "collations",
    "columns",
    "constraints",
    "contributors",
    "current_roles",
    "data_skipping_index_types",
    "data_skipping_indices",
    "data_type_families",
    "database_engines",
    "databases",
    "dictionaries",
    "enabled_roles",
    "formats",
    "functions",
    "keywords",
    "licenses",
    "merge_tree_settings",
    "numbers",
    "numbers_mt",
    "one",
    "primes",
    "privileges",
    "projections",
    "settings",
    "table_engines",
    "table_functions",
    "tables",
    "time_zones",
    "zeros",
    "zeros_mt",
}
PLACES_OF_A_TABLE = [
    "SELECT * FROM {}",
    "SELECT * FROM view(SELECT * FROM {})",
    "SELECT * FROM (SELECT * FROM {})",
    "SELECT * FROM t JOIN {} AS u USING a",
    "SELECT (SELECT * FROM {})",
    "SELECT EXISTS(SELECT * FROM {})",
    "SELECT 1 IN {}",
    "SELECT 1 IN ({})",
    "SELECT 1 WHERE 1 GLOBAL NOT IN {}",
    "SELECT * APPLY (x -> x IN {}) FROM t",
    "WITH x AS (SELECT * FROM {}) SELECT * FROM x",
    "SELECT 1 UNION ALL SELECT * FROM {}",
    "EXPLAIN SELECT * FROM {}",
    "EXPLAIN TABLE OVERRIDE {} COLUMNS (a UInt8)",
    "DESCRIBE TABLE {}",
    "SHOW TABLES WHERE name IN (SELECT * FROM {})",
    "INSERT INTO x SELECT * FROM {}",
    "CREATE TEMPORARY TABLE x AS {}",
    "CREATE TEMPORARY TABLE x AS SELECT * FROM {}",
    "CREATE TEMPORARY TABLE x (a UInt8 DEFAULT (SELECT * FROM {}))",
    "CREATE TABLE comptoir.x AS {}",
    "CREATE VIEW comptoir.x AS SELECT * FROM {}",
    "CREATE MATERIALIZED VIEW comptoir.x ENGINE = Memory AS SELECT * FROM {}",
]
PLACES_OF_AN_ENGINE = [
    "CREATE TEMPORARY TABLE x (a UInt8) ENGINE = {}",
    "CREATE TEMPORARY TABLE x ENGINE {} AS SELECT 1",
    "CREATE OR REPLACE TEMPORARY TABLE x ENGINE = {} AS SELECT 1",
    "CREATE TABLE comptoir.x (a UInt8) ENGINE = {}",
    "CREATE MATERIALIZED VIEW comptoir.x ENGINE = {} AS SELECT 1",
    "CREATE DATABASE x ENGINE = {}",
]
# What the JDBC driver, clickhouse-connect, SQLAlchemy and Grafana ask for before a person asks anything.
ASKED_BY_CLIENTS = """
SELECT version(), timezone(), currentUser(), hostName(), uptime(), currentDatabase();
SELECT name, value, readonly AS readonly FROM system.settings LIMIT 10000;
SHOW DATABASES;
SHOW TABLES FROM comptoir LIKE '%';
DESCRIBE TABLE system.tables;
SHOW CREATE TABLE comptoir.t;
SHOW COLUMNS FROM comptoir.t;
SHOW FUNCTIONS;
SHOW ENGINES;
SHOW GRANTS;
EXISTS TABLE comptoir.t;
SELECT t.database AS TABLE_CAT, t.name AS TABLE_NAME, multiIf(t.engine LIKE '%View', 'VIEW',
  t.is_temporary, 'TEMPORARY TABLE', 'TABLE') AS TABLE_TYPE FROM system.tables t JOIN system.databases d
  ON t.database = d.name WHERE t.database LIKE '%' ORDER BY 1 SETTINGS max_threads = 1;
SELECT database, table, name, toInt16(transform(type, ['a'], [1], 1)), default_expression, comment FROM
  system.columns WHERE match(name, 'x') AND table ILIKE 'x';
SELECT name, is_aggregate, case_insensitive, alias_to FROM system.functions;
SELECT name, case_insensitive, alias_to FROM system.data_type_families;
SELECT name FROM system.table_engines UNION ALL SELECT name FROM system.table_functions;
SELECT * FROM system.data_skipping_indices;
SELECT * FROM information_schema.tables;
SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE table_schema = 'x';
SELECT keyword FROM system.keywords
"""
ANALYSIS = """
SELECT toStartOfInterval(at, INTERVAL 60 second) AS time, quantile(0.95)(x) OVER w, sumIf(a, b),
  uniqExactArrayIf(a, b), countIf(a) FROM t WINDOW w AS (PARTITION BY a ORDER BY b ROWS BETWEEN 1
  PRECEDING AND CURRENT ROW) LIMIT 3 BY a;
SELECT a FROM t FINAL SAMPLE 1 / 10 PREWHERE a GROUP BY a WITH ROLLUP HAVING count() > 1 ORDER BY a ASC
  NULLS FIRST WITH FILL FROM 1 TO 2 STEP 1 INTERPOLATE (b AS b + 1) SETTINGS max_threads = 2 FORMAT JSON;
SELECT * EXCEPT (a) REPLACE (b + 1 AS b) APPLY toString FROM t ARRAY JOIN c AS d;
SELECT COLUMNS('x'), t.COLUMNS('y'), COLUMNS(a, b) FROM t;
SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4;
WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 10) SELECT * FROM x;
SELECT CASE a WHEN 1 THEN 2 ELSE 3 END, a ? b : c, a::String, a[1], (1, 2).1, EXTRACT(year FROM d),
  TRIM(BOTH ' ' FROM x), DATE '2020-01-01', INTERVAL 1 day, EXISTS(SELECT 1), format('{}', x) FROM t;
SELECT * FROM a LEFT ASOF JOIN b ON a.x = b.x AND a.t <= b.t;
SELECT GROUPING(a) FROM t GROUP BY GROUPING SETS ((a), (b)) QUALIFY row_number() OVER (ORDER BY a) = 1;
CREATE TEMPORARY TABLE x (a Nullable(UInt8) DEFAULT 1, b Enum8('a' = 1), CONSTRAINT c CHECK a > 1);
EXPLAIN PLAN actions = 1 SELECT 1
"""


@pytest.fixture
def checker(opened: ChdbEngine) -> StatementChecker:
    return StatementChecker(opened, max_query_bytes=256 * 1024)


def _listed(opened: ChdbEngine, text: str) -> list[str]:
    connection = opened.connect(is_writer=True, is_readonly=True)
    try:
        return connection.query(text, "TSV", {}).body.decode().split()
    finally:
        connection.close()


def _passing(
    checker: StatementChecker, texts: Sequence[str], parameters: Mapping[str, str], *, is_writer: bool = False
) -> list[str]:
    passed = []
    for text in texts:
        try:
            checker.check(text, parameters, is_writer=is_writer)
        except StoreError:
            continue
        passed.append(text)
    return passed


def _statements(text: str) -> list[str]:
    return [statement.strip() for statement in text.split(";\n")]


def _calls(name: str) -> list[str]:
    return [f"{name}('x', 'y')", f"`{name}`('x')", f"{name.upper()}(1)", f"{name}()"]


@pytest.mark.parametrize("place", PLACES_OF_A_TABLE)
def test_a_table_function_passes_only_if_it_is_listed(
    opened: ChdbEngine, checker: StatementChecker, place: str
) -> None:
    names = set(_listed(opened, "SELECT name FROM system.table_functions"))
    assert names >= {
        "file",
        "url",
        "s3",
        "sqlite",
        "remote",
        "executable",
        "python",
        *HARMLESS_TABLE_FUNCTIONS,
    }
    texts = [place.format(call) for name in names - HARMLESS_TABLE_FUNCTIONS for call in _calls(name)]
    assert _passing(checker, texts, {}) == []
    if "TABLE OVERRIDE" not in place:
        writers = [text for text in texts if "merge(" not in text.lower() and "`merge`" not in text]
        assert _passing(checker, writers, {}, is_writer=True) == []


def test_nothing_is_inserted_into_a_function(opened: ChdbEngine, checker: StatementChecker) -> None:
    names = _listed(opened, "SELECT name FROM system.table_functions")
    texts = [f"INSERT INTO FUNCTION {call} SELECT 1" for name in names for call in _calls(name)]
    assert _passing(checker, texts, {}) == []
    assert _passing(checker, texts, {}, is_writer=True) == []


@pytest.mark.parametrize("place", PLACES_OF_AN_ENGINE)
def test_an_engine_passes_only_if_it_is_listed(
    opened: ChdbEngine, checker: StatementChecker, place: str
) -> None:
    names = {
        *_listed(opened, "SELECT name FROM system.table_engines"),
        *_listed(opened, "SELECT name FROM system.database_engines"),
    }
    assert names >= {"URL", "S3", "File", "Executable", "Merge", "Memory"}
    texts = [
        place.format(engine)
        for name in names - {"Memory", "Null"}
        for engine in (name, f"{name}('x', 'y')", f"`{name}`('x')")
    ]
    assert _passing(checker, texts, {}) == []


@pytest.mark.parametrize(
    "place",
    [
        *[place.replace("{}", "system.{}") for place in PLACES_OF_A_TABLE],
        "SELECT * FROM `system`.`{}`",
        'SELECT * FROM "system" . {}',
        "SELECT * FROM `system.{}`",
        "SELECT 1 IN `system.{}`",
        "SELECT * FROM merge('system', '{}')",
        "SELECT * FROM merge(system, '{}')",
        "CREATE TEMPORARY TABLE x ENGINE = Merge('system', '{}')",
        "CREATE TEMPORARY TABLE x ENGINE = Buffer('system', '{}', 1, 1, 1, 1, 1, 1, 1)",
        "SELECT * FROM mergeTreeIndex('system', '{}')",
        "SHOW CREATE TABLE system.{}",
        "SELECT hasColumnInTable('system', '{}', 'x')",
    ],
)
def test_a_table_of_system_is_a_readers_only_if_it_is_listed(
    opened: ChdbEngine, checker: StatementChecker, place: str
) -> None:
    names = set(_listed(opened, "SELECT name FROM system.tables WHERE database = 'system'"))
    assert names >= {"errors", "processes", "query_cache", "stack_trace", *READABLE_OF_SYSTEM}
    assert _passing(checker, [place.format(name) for name in names - READABLE_OF_SYSTEM], {}) == []


def test_a_name_from_a_parameter_is_read_as_if_it_stood_there(checker: StatementChecker) -> None:
    texts = ["SELECT * FROM {db:Identifier}.{t:Identifier}", "SELECT 1 IN ({db:Identifier}.{t:Identifier})"]
    for table in ("errors", "processes", "stack_trace"):
        # Twice: what passed once with a harmless name is not remembered for this one.
        assert _passing(checker, texts, {"db": "system", "t": "one"}) == texts
        assert _passing(checker, texts, {"db": "system", "t": table}) == []
    assert _passing(checker, ["USE {db:Identifier}", "USE system"], {"db": "system"}) == []
    call = "SELECT arrayMap({f:Identifier}, ['x'])"
    for name in ("file", "FILE", " file", "fi\\le", "logTrace"):
        assert _passing(checker, [call], {"f": name}) == []


def test_the_questions_of_clients_pass(checker: StatementChecker) -> None:
    texts = _statements(ASKED_BY_CLIENTS)
    assert _passing(checker, texts, {}) == texts


def test_ordinary_analysis_passes(checker: StatementChecker) -> None:
    texts = [*_statements(ANALYSIS), "SELECT a AS `two\nlines` FROM t"]
    assert _passing(checker, texts, {}) == texts
