"""The clients of a ClickHouse server, on the front: clickhouse-connect, curl-like, Grafana-like."""

import json
import struct
import zlib
from collections.abc import Iterator

import clickhouse_connect
import cramjam
import httpx
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, StreamFailureError

from tests.system.clickhouse_process import PASSWORD, WRITER, ClickHouseProcess

pytestmark = pytest.mark.system

ROWS = 500
ROW_BINARY = b"".join(struct.pack("<IQ", number, number * 3) for number in range(ROWS))
TABLE = (
    "(a UInt32, b UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000"
)


def _client(store: ClickHouseProcess, *, writes: bool = False, compress: bool | str = True) -> Client:
    login = {"username": WRITER, "password": PASSWORD} if writes else {}
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, compress=compress, dedicated_pool=True, **login
    )


@pytest.fixture(params=[True, "zstd", "gzip", False])
def writer(request: pytest.FixtureRequest, store: ClickHouseProcess) -> Iterator[Client]:
    client = _client(store, writes=True, compress=request.param)
    client.command("DROP TABLE IF EXISTS comptoir.t SYNC")
    client.command(f"CREATE TABLE comptoir.t {TABLE}")
    yield client
    client.close()


@pytest.fixture
def reader(store: ClickHouseProcess) -> Iterator[Client]:
    client = _client(store)
    yield client
    client.close()


def test_clickhouse_connect_inserts_and_queries_with_every_compression(writer: Client) -> None:
    writer.insert("comptoir.t", [[1, 10], [2, 20]], column_names=["a", "b"])
    summary = writer.raw_insert("comptoir.t", ["a", "b"], ROW_BINARY, fmt="RowBinary")
    assert summary.written_rows == ROWS
    assert writer.query("SELECT count(), sum(b) FROM comptoir.t").result_rows == [(502, 374_280)]
    found = writer.query("SELECT a FROM comptoir.t WHERE b = {b:UInt64}", parameters={"b": 1497})
    assert found.result_rows == [(499,)]


def test_an_insert_token_is_inserted_once(writer: Client) -> None:
    for _ in range(3):
        writer.raw_insert(
            "comptoir.t",
            None,
            ROW_BINARY,
            fmt="RowBinary",
            settings={"insert_deduplication_token": "frame-1"},
        )
    writer.raw_insert("comptoir.t", None, ROW_BINARY, fmt="RowBinary")
    writer.raw_insert(
        "comptoir.t", None, ROW_BINARY, fmt="RowBinary", settings={"insert_deduplication_token": "frame-2"}
    )
    count = writer.query("SELECT count() FROM comptoir.t").first_row
    # The one without a token is a double by its content.
    assert count in ((2 * ROWS,), (3 * ROWS,))


def test_a_compressed_body_is_inserted_unchanged(writer: Client) -> None:
    packed = {
        "gzip": zlib.compress(ROW_BINARY, wbits=31),
        "deflate": zlib.compress(ROW_BINARY),
        "zstd": bytes(cramjam.zstd.compress(ROW_BINARY)),
        "lz4": bytes(cramjam.lz4.compress(ROW_BINARY)),
        "br": bytes(cramjam.brotli.compress(ROW_BINARY)),
    }
    for coding, body in packed.items():
        writer.command("TRUNCATE TABLE comptoir.t")
        settings = {"insert_deduplication_token": coding}
        writer.raw_insert("comptoir.t", None, body, settings=settings, fmt="RowBinary", compression=coding)
        assert writer.query("SELECT count(), sum(b) FROM comptoir.t").first_row == (500, 374_250)


def test_a_failed_insert_lands_no_row_and_names_its_code(writer: Client) -> None:
    with pytest.raises(DatabaseError) as raised:
        writer.raw_insert("comptoir.t", None, ROW_BINARY[:-3], fmt="RowBinary")
    assert raised.value.code == 33
    with pytest.raises(DatabaseError) as raised:
        writer.raw_insert("comptoir.nothing", None, ROW_BINARY, fmt="RowBinary")
    assert raised.value.code == 60
    assert writer.query("SELECT count() FROM comptoir.t").first_row == (0,)


def test_protobuf_is_inserted_with_its_schema_as_text(writer: Client) -> None:
    # Two events: a = 7, b = 8; a = 9, b = 10; each behind its length.
    body = bytes([4, 8, 7, 16, 8, 4, 8, 9, 16, 10])
    settings = {
        "format_schema": 'syntax = "proto3"; message Event { uint32 a = 1; uint64 b = 2; }',
        "format_schema_source": "string",
        "format_schema_message_name": "Event",
    }
    writer.raw_insert("comptoir.t", None, body, fmt="Protobuf", settings=settings)
    assert writer.query("SELECT a, b FROM comptoir.t ORDER BY a").result_rows == [(7, 8), (9, 10)]


def test_parameters_are_values_and_never_text_of_the_query(reader: Client) -> None:
    hostile = 'it\'s \\ a "quoted" `value`\t\n\0 ; DROP TABLE comptoir.t -- é€😀'
    answer = reader.query("SELECT {value:String} AS v, {n:UInt8}", parameters={"value": hostile, "n": 7})
    assert answer.result_rows == [(hostile, 7)]
    names = {"table": "one", "database": "system"}
    assert (
        reader.query("SELECT * FROM {database:Identifier}.{table:Identifier}", parameters=names).row_count
        == 1
    )
    with pytest.raises(ClickHouseError):
        reader.query("SELECT {n:UInt8}", parameters={"n": "1; SELECT 2"})


def test_a_session_keeps_temporary_tables_and_settings_for_itself(store: ClickHouseProcess) -> None:
    one, other = _client(store), _client(store)
    one.command("CREATE TEMPORARY TABLE mine (a UInt8)")
    one.insert("mine", [[1], [2]])
    assert one.query("SELECT sum(a) FROM mine").first_row == (3,)
    one.command("SET max_threads = 3")
    settings = {"max_block_size": 1234}
    assert one.query("SELECT getSetting('max_threads')", settings=settings).first_row == (3,)
    assert one.query("SELECT getSetting('max_block_size')", settings=settings).first_row == (1234,)
    assert one.query("SELECT getSetting('max_block_size') = 1234").first_row == (0,)
    assert one.query("SELECT getSetting('max_threads')").first_row == (3,)
    with pytest.raises(DatabaseError) as raised:
        other.query("SELECT * FROM mine")
    assert raised.value.code == 60
    one.close()
    other.close()


def test_results_stream(reader: Client) -> None:
    with reader.query_row_block_stream("SELECT number FROM numbers(1000000)") as stream:
        assert sum(len(block) for block in stream) == 1_000_000
    with reader.query_arrow_stream("SELECT number FROM numbers(200000)") as batches:
        assert sum(batch.num_rows for batch in batches) == 200_000
    assert reader.query_arrow("SELECT 1 AS x").to_pylist() == [{"x": 1}]
    assert reader.query_df("SELECT number FROM numbers(3)").number.sum() == 3


@pytest.mark.filterwarnings("ignore")
def test_an_error_after_the_first_rows_is_an_error(reader: Client) -> None:
    query = "SELECT number, throwIf(number = 2000000) FROM numbers(5000000)"
    with pytest.raises(StreamFailureError, match="throwIf"), reader.query_row_block_stream(query) as stream:
        for _ in stream:
            pass


def test_an_abandoned_result_frees_its_place(store: ClickHouseProcess) -> None:
    query = "SELECT number FROM system.numbers FORMAT RowBinary"
    for _ in range(20):
        with httpx.stream("POST", store.url, content=query) as answer:
            next(answer.iter_raw())
    assert store.read("SELECT 1").text == "1\n"


def test_metadata_that_clients_ask_for(reader: Client, store: ClickHouseProcess) -> None:
    assert reader.server_version.startswith("26.")
    assert str(reader.server_tz) in ("UTC", "Etc/UTC")
    assert reader.ping()
    assert reader.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    assert "system" in reader.query("SHOW DATABASES").result_columns[0]
    assert store.read("SELECT name FROM system.databases WHERE name = 'comptoir'").text == "comptoir\n"
    store.write("CREATE TABLE comptoir.shown (dummy UInt8) ENGINE = Memory")
    assert "dummy" in store.read("SHOW CREATE TABLE comptoir.shown").text
    assert store.read("DESCRIBE TABLE system.one").text.startswith("dummy\tUInt8")


def test_curl_gets_what_a_server_answers(store: ClickHouseProcess) -> None:
    assert httpx.get(f"{store.url}/").text == "Ok.\n"
    assert httpx.get(f"{store.url}/ping").text == "Ok.\n"
    assert httpx.get(f"{store.url}/replicas_status").text == "Ok.\n"
    assert httpx.get(f"{store.url}/nothing").status_code == 404
    answer = httpx.get(store.url, params={"query": "SELECT 1 AS x FORMAT JSON", "query_id": "q-1"})
    assert answer.json()["data"] == [{"x": 1}]
    assert answer.headers["X-ClickHouse-Query-Id"] == "q-1"
    assert answer.headers["X-ClickHouse-Format"] == "JSON"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["result_rows"] == "1"
    halves = httpx.post(store.url, params={"query": "SELECT 1 +"}, content="1")
    assert halves.text == "2\n"
    by_header = httpx.post(store.url, content="SELECT 1", headers={"X-ClickHouse-Format": "JSONEachRow"})
    assert by_header.json() == {"1": 1}
    assert store.read("SELECT 1", default_format="CSV").headers["Content-Type"].startswith("text/csv")


def test_errors_carry_a_servers_status_and_code(store: ClickHouseProcess) -> None:
    for query, status, code in (
        ("SELEC 1", 400, 62),
        ("SELECT * FROM comptoir.nothing", 404, 60),
        ("SELECT * FROM nothing.at_all", 404, 81),
        ("SELECT nothing", 404, 47),
        ("SELECT nothingLikeIt()", 404, 46),
        ("SELECT 1 FORMAT Nothing", 404, 73),
        ("SELECT toUInt8('x')", 400, 6),
        ("", 400, 62),
    ):
        answer = httpx.post(store.url, content=query, params={"query_id": "q"})
        found = (answer.status_code, int(answer.headers["X-ClickHouse-Exception-Code"]))
        assert found == (status, code), query
        assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_grafana_asks_like_this(store: ClickHouseProcess) -> None:
    """The data source's HTTP protocol: Basic or header login, parameters in the URL, Native or JSON back."""
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "", "Accept-Encoding": "gzip"}
    parameters = {
        "database": "default",
        "default_format": "Native",
        "max_execution_time": "60",
        "wait_end_of_query": "1",
        "client_protocol_version": "54460",
    }
    query = "SELECT toDateTime('2026-01-01 00:00:00') AS time, 1.5 AS value"
    answer = httpx.post(store.url, params=parameters, headers=headers, content=query)
    assert answer.status_code == 200
    assert answer.headers["X-ClickHouse-Format"] == "Native"
    assert b"value" in answer.content


def test_jdbc_like_clients_use_the_servers_own_compression(store: ClickHouseProcess) -> None:
    plain = store.read("SELECT number, toString(number) FROM numbers(20000)").content
    answer = store.read("SELECT number, toString(number) FROM numbers(20000)", compress="1")
    assert answer.status_code == 200
    assert len(answer.content) < len(plain)
    store.write("CREATE TABLE comptoir.packed (a UInt64, b String) ENGINE = Memory")
    insert = {"query": "INSERT INTO comptoir.packed FORMAT TabSeparated", "decompress": "1"}
    assert store.write(answer.content, **insert).status_code == 200
    assert store.read("SELECT count(), sum(a) FROM comptoir.packed").text == "20000\t199990000\n"
    broken = answer.content[:100] + bytes([answer.content[100] ^ 1]) + answer.content[101:]
    assert store.write(broken, **insert).status_code >= 400


def test_a_form_carries_query_and_parameters(store: ClickHouseProcess) -> None:
    form = {"query": (None, "SELECT {a:UInt8} + 1"), "param_a": (None, "41")}
    assert httpx.post(store.url, files=form).text == "42\n"


def test_a_session_is_one_client_at_a_time_and_must_exist_when_asked(store: ClickHouseProcess) -> None:
    missing = store.read("SELECT 1", session_id="never-made", session_check="1")
    assert missing.headers["X-ClickHouse-Exception-Code"] == "372"
    assert store.read("SELECT 1", session_id="made").text == "1\n"
    assert store.read("SELECT 1", session_id="made", session_check="1").text == "1\n"
    query = "SELECT number FROM system.numbers FORMAT RowBinary"
    with httpx.stream("POST", store.url, params={"session_id": "made"}, content=query) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        locked = store.read("SELECT 1", session_id="made")
        assert locked.headers["X-ClickHouse-Exception-Code"] == "373"
