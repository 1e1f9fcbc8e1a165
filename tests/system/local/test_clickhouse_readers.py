"""Who may ask the local store, and what one client shows another: nothing."""

import httpx
import pytest

from tests.system.clickhouse_process import PASSWORD, WRITER, ClickHouseProcess, is_refused

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO comptoir.t VALUES (1)",
        "CREATE TABLE comptoir.x (a UInt8) ENGINE = Memory",
        "CREATE DATABASE x",
        "CREATE VIEW comptoir.x AS SELECT 1",
        "DROP TABLE comptoir.t",
        "DROP DATABASE comptoir",
        "TRUNCATE TABLE comptoir.t",
        "ALTER TABLE comptoir.t DELETE WHERE 1",
        "ALTER TABLE comptoir.t ADD COLUMN b UInt8",
        "DELETE FROM comptoir.t WHERE 1",
        "UPDATE comptoir.t SET a = 1 WHERE 1",
        "OPTIMIZE TABLE comptoir.t FINAL",
        "RENAME TABLE comptoir.t TO comptoir.x",
        "DETACH TABLE comptoir.t",
        "KILL QUERY WHERE 1",
        "KILL MUTATION WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SYSTEM STOP MERGES",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_a_reader_changes_nothing(store: ClickHouseProcess, query: str) -> None:
    store.write("CREATE TABLE IF NOT EXISTS comptoir.t (a UInt8) ENGINE = MergeTree ORDER BY a")
    assert is_refused(store.read(query))
    assert is_refused(store.read(query, readonly="0"))
    assert store.read("EXISTS TABLE comptoir.t").text == "1\n"


def test_a_get_changes_nothing_even_for_the_writer(store: ClickHouseProcess) -> None:
    query = {"query": "CREATE TABLE comptoir.by_get (a UInt8) ENGINE = Memory"}
    answer = httpx.get(store.url, params=query, auth=(WRITER, PASSWORD))
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert store.read("EXISTS TABLE comptoir.by_get").text == "0\n"


def test_who_does_not_know_the_password_is_nobody(store: ClickHouseProcess) -> None:
    basic = httpx.post(store.url, content="SELECT 1", auth=(WRITER, "wrong"))
    headers = httpx.post(store.url, content="SELECT 1", headers={"X-ClickHouse-User": WRITER})
    url = httpx.post(store.url, content="SELECT 1", params={"user": "nobody", "password": "wrong-word"})
    bearer = httpx.post(store.url, content="SELECT 1", headers={"Authorization": "Bearer x"})
    for answer in (basic, headers, url, bearer):
        assert answer.status_code == 403
        assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
        assert "wrong" not in answer.text
    assert "wrong" not in store.stderr


def test_a_page_of_a_foreign_site_cannot_ask(store: ClickHouseProcess) -> None:
    answer = httpx.post(store.url, content="SELECT 1", headers={"Host": f"evil.example:{store.port}"})
    assert answer.status_code == 403
    assert httpx.post(store.url, content="SELECT 1", headers={"Host": "localhost"}).text == "1\n"


def test_no_text_of_a_query_reaches_the_log(store: ClickHouseProcess) -> None:
    canary = "canary-7f3a9c"
    for query in ("SELECT '{0}'", "SELECT * FROM `{0}`", "SELECT {0}'", "{0};{0}"):
        store.read(query.format(canary), query_id=canary, session_id=canary)
        store.write(query.format(canary), param_x=canary)
    assert canary not in store.stderr


def test_no_reader_sees_what_another_wrote(store: ClickHouseProcess) -> None:
    canary = "canary-of-another-reader"
    store.read(f"SELECT throwIf(1, '{canary}')")
    store.read(f"SELECT toUInt8('{canary}')")
    store.read(f"CREATE TEMPORARY TABLE mine (a String) COMMENT '{canary}'", session_id="of-another")
    names = store.write("SELECT name FROM system.tables WHERE database = 'system'").text.split()
    for name in names:
        for answer in (
            store.read(f"SELECT * FROM system.{name} LIMIT 10000"),  # noqa: S608 - the engine's own names
            store.read(
                "SELECT * FROM {d:Identifier}.{t:Identifier} LIMIT 10", param_d="system", param_t=name
            ),
            store.read(f"SELECT * FROM {name} LIMIT 10", database="system"),  # noqa: S608 - the same
        ):
            assert canary not in answer.text, name
    assert canary in store.write("SELECT * FROM system.errors").text
    assert store.read("SHOW PROCESSLIST").status_code >= 400


def test_a_flat_list_of_calls_is_checked_in_a_moment(store: ClickHouseProcess) -> None:
    """24 KB of `-a` took the check 13 s: it looked for each call's parent from the start again."""
    text = "EXPLAIN AST SELECT " + ",".join(["-a"] * 8_000)
    assert httpx.post(store.url, content=text, timeout=8.0).status_code == 200


def test_a_text_that_takes_the_engines_parser_long_is_given_up(store: ClickHouseProcess) -> None:
    for text in ("SELECT * FROM (" + "COLUMNS(((" * 12, "(SELECT ((" * 12, "SELECT " + "1," * 125_000 + "1"):
        assert store.read(text).status_code in (400, 413)
    assert store.read("SELECT " + "(" * 5_000 + "1" + ")" * 5_000).status_code == 400
