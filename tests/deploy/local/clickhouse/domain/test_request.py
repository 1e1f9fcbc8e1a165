import pytest

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.request import QueryRequest, parse_request


def _parse(fields: dict[str, str], *, is_get: bool = False, is_writer: bool = False) -> QueryRequest:
    return parse_request(fields.items(), {}, is_get=is_get, is_writer=is_writer, session_timeout_seconds=60.0)


def test_what_is_not_the_interfaces_own_is_a_setting_of_the_engine() -> None:
    request = _parse(
        {
            "query": "SELECT 1",
            "database": "comptoir",
            "max_threads": "2",
            "param_a": "1",
            "wait_end_of_query": "1",
            "buffer_size": "3",
            "client_protocol_version": "54405",
        }
    )
    assert request.settings == {"max_threads": "2"}
    assert request.parameters == {"a": "1"}
    assert request.waits_for_end


def test_a_get_and_a_reader_are_readonly() -> None:
    assert _parse({}).is_readonly
    assert _parse({}, is_get=True, is_writer=True).is_readonly
    assert _parse({"readonly": "2"}, is_writer=True).is_readonly
    assert not _parse({"readonly": "0"}, is_writer=True).is_readonly
    assert _parse({"readonly": "0"}).is_readonly


@pytest.mark.parametrize("name", ["dialect", "profile", "format_schema", "no_setting_at_all"])
def test_a_setting_that_cannot_be_given_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(StoreError) as raised:
        _parse({name: "1"})
    assert f"The setting {name} " in raised.value.message


@pytest.mark.parametrize("name", ["x'y", "max_threads = 1, dialect", "", "Ünknown", "a" * 200])
def test_what_can_be_no_setting_s_name_is_refused_without_being_repeated(name: str) -> None:
    with pytest.raises(StoreError) as raised:
        _parse({name: "1"})
    assert not name or name not in raised.value.message


def test_what_drivers_send_to_every_server_is_taken_without_effect() -> None:
    sent = {
        "log_comment": "x",
        "load_balancing": "random",
        "connect_timeout": "1",
        "http_receive_timeout": "9",
    }
    assert _parse({**sent, "compatibility": "24.1", "max_threads": "2"}).settings == {"max_threads": "2"}


@pytest.mark.parametrize(("given", "is_kept"), [("60", True), ("1", True), ("61", False), ("0", False)])
def test_a_limit_beyond_the_largest_is_the_largest(given: str, is_kept: bool) -> None:
    asked = parse_request(
        [("max_execution_time", given)],
        {},
        is_get=False,
        is_writer=False,
        session_timeout_seconds=60.0,
        most={"max_execution_time": 60},
    )
    assert ("max_execution_time" in asked.settings) is is_kept


def test_a_limit_of_many_digits_is_compared_without_being_computed() -> None:
    asked = parse_request(
        [("max_execution_time", "9" * 100_000)],
        {},
        is_get=False,
        is_writer=False,
        session_timeout_seconds=60.0,
        most={"max_execution_time": 60},
    )
    assert asked.settings == {}


@pytest.mark.parametrize(("text", "version"), [("", 0), ("0", 0), ("54454", 54454)])
def test_a_protocol_version_is_a_number(text: str, version: int) -> None:
    assert _parse({"client_protocol_version": text}).protocol_version == version


@pytest.mark.parametrize("text", ["-1", "x", "9" * 10, "٣"])
def test_a_protocol_version_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(StoreError):
        _parse({"client_protocol_version": text})


def test_only_the_writer_gives_a_schema() -> None:
    assert _parse({"format_schema": "message"}, is_writer=True).settings == {"format_schema": "message"}


def test_a_session_has_a_bounded_timeout() -> None:
    session = _parse({"session_id": "a", "session_timeout": "10", "session_check": "1"}).session
    assert session is not None
    assert (session.timeout_seconds, session.must_exist) == (10.0, True)
    default = _parse({"session_id": "a"}).session
    assert default is not None
    assert default.timeout_seconds == 60.0
    for text in ("3601", "-1", "x", "9" * 30, "²"):
        with pytest.raises(StoreError) as raised:
            _parse({"session_id": "a", "session_timeout": text})
        assert raised.value.code == 374


@pytest.mark.parametrize("query_id", ["a\r\nX-Other: 1", "é", "x" * 129, " "])
def test_a_query_id_that_is_no_word_is_not_sent_back(query_id: str) -> None:
    assert _parse({"query_id": query_id}).query_id == ""
