import gzip

import pytest
from starlette.types import Message

from deploy.local.clickhouse.server.streaming import BrokenResultError
from deploy.local.clickhouse.wire.codings import decode
from tests.deploy.local.clickhouse.server.served import FAILURE, LOGIN, SCOPE, Served, never


async def test_health_needs_no_engine(served: Served) -> None:
    for path in ("/", "/ping", "/replicas_status"):
        assert (await served.client.get(path)).text == "Ok.\n"
    assert served.engine.opened == []


async def test_a_select_runs_as_a_reader_on_a_connection_of_its_own(served: Served) -> None:
    parameters = {"max_threads": "1", "param_a": "x'y", "database": "comptoir"}
    answer = await served.client.post("/", params=parameters, content="SELECT {a:String}")
    assert (answer.status_code, answer.text) == (200, "1\n")
    is_writer, is_readonly, connection = served.engine.opened[-1]
    assert (is_writer, is_readonly) == (False, True)
    assert connection.ran == [("SELECT {a:String}", "TabSeparated", {"a": "x'y"})]
    assert connection.configured == [{"max_threads": "1"}]
    assert connection.used == ["comptoir"]
    assert connection.is_closed


async def test_the_writers_insert_passes_its_bytes_unchanged(served: Served) -> None:
    data = bytes(range(256))
    body = b"INSERT INTO t FORMAT RowBinary\n" + data
    inserted = ("INSERT INTO t", "RowBinary", data)
    assert (await served.client.post("/", content=body, auth=LOGIN)).status_code == 200
    assert served.engine.opened[-1][:2] == (True, False)
    assert served.connection.inserted == [inserted]
    query = {"query": "INSERT INTO t FORMAT RowBinary"}
    await served.client.post("/", params=query, content=data, auth=LOGIN)
    assert served.connection.inserted == [inserted]
    packed = {"Content-Encoding": "gzip"}
    await served.client.post("/", params=query, content=gzip.compress(data), auth=LOGIN, headers=packed)
    assert served.connection.inserted == [inserted]


async def test_a_text_is_parsed_once_and_checked_for_each_kind_of_user(served: Served) -> None:
    for _ in range(3):
        await served.client.post("/", content="SELECT 1")
    assert served.engine.parsed == ["SELECT 1"]
    await served.client.post("/", content="SELECT 1", auth=LOGIN)
    assert served.engine.parsed == ["SELECT 1"] * 2
    assert (await served.client.post("/", content="KILL QUERY", auth=LOGIN)).status_code == 200
    assert (await served.client.post("/", content="KILL QUERY")).headers[
        "X-ClickHouse-Exception-Code"
    ] == "164"


async def test_what_is_refused_opens_no_connection(served: Served) -> None:
    for content in (
        "SELECT 1; SELECT 2",
        "SELECT file('/x')",
        "",
        "x" * 1001,
        "\ud800".encode("utf-8", "replace"),
    ):
        answer = await served.client.post("/", content=content)
        assert answer.status_code >= 400
    assert (await served.client.post("/", content=b"SELECT '\xff'")).status_code == 400
    assert (await served.client.post("/", content="SELECT 1", auth=("x", "y"))).status_code == 403
    assert (
        await served.client.post("/", content="SELECT 1", headers={"Host": "evil.example"})
    ).status_code == 403
    assert served.engine.opened == []


async def test_a_session_keeps_its_connection(served: Served) -> None:
    for _ in range(2):
        assert (await served.client.post("/?session_id=a", content="SELECT 1")).status_code == 200
    assert len(served.engine.opened) == 1
    assert not served.connection.is_closed
    await served.client.post("/?session_id=a&max_threads=1", content="SET max_threads = 2")
    assert served.connection.configured[-1] == {}
    await served.runner.close()
    assert served.connection.is_closed


async def test_an_error_before_the_first_piece_has_its_status() -> None:
    served = Served([FAILURE])
    answer = await served.client.post("/", content="SELECT 1")
    assert answer.status_code == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "395"
    assert served.connection.is_closed
    await served.runner.close()


async def test_an_error_after_it_ends_the_body_with_its_tag_and_frees_the_engine() -> None:
    served = Served([b"1\n", b"2\n", FAILURE])
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"SELECT 1"} if not sent else await never()

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(BrokenResultError):
        await served.application(SCOPE, receive, send)
    tag = dict(sent[0]["headers"])[b"x-clickhouse-exception-tag"]
    body = b"".join(message["body"] for message in sent[1:])
    assert body.startswith(b"1\n2\n\r\n__exception__\r\n" + tag)
    assert b"Code: 395" in body
    assert body.endswith(tag + b"\r\n__exception__\r\n")
    assert served.connection.streams[-1].is_closed
    assert served.connection.is_closed
    await served.runner.close()


async def test_a_session_that_holds_too_much_in_temporary_tables_is_over(served: Served) -> None:
    insert = b"INSERT INTO t FORMAT RowBinary\n"
    assert (await served.client.post("/?session_id=a", content="SELECT 1")).status_code == 200
    held = served.connection
    held.is_readonly, held.held_bytes = False, 1000
    assert (await served.client.post("/?session_id=a", content=insert)).status_code == 200
    held.held_bytes = 1001
    over = await served.client.post("/?session_id=a", content=insert)
    assert over.headers["X-ClickHouse-Exception-Code"] == "241"
    assert "max_temporary_bytes = 1000" in over.text
    assert held.is_closed
    gone = await served.client.post("/?session_id=a&session_check=1", content="SELECT 1")
    assert gone.headers["X-ClickHouse-Exception-Code"] == "372"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "lz4", "br", "identity"])
@pytest.mark.parametrize("pieces", [[b""], [b"1\n"], [b"1\n", b"2\n"]])
async def test_a_result_decodes_to_what_it_was_even_if_it_is_empty(coding: str, pieces: list[bytes]) -> None:
    served = Served(pieces)
    for parameters in ({}, {"wait_end_of_query": "1"}):
        async with served.client.stream(
            "POST", "/", params=parameters, content="SELECT 1", headers={"Accept-Encoding": coding}
        ) as answer:
            body = b"".join([piece async for piece in answer.aiter_raw()])
            assert decode(body, answer.headers.get("content-encoding", ""), 1000) == b"".join(pieces)
    await served.runner.close()
