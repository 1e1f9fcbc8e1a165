import pytest

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.request import SessionRequest
from deploy.local.clickhouse.domain.sessions import Session, Sessions
from tests.fakes.clickhouse_engine import FakeConnection


def _asked(name: str = "a", *, must_exist: bool = False) -> SessionRequest:
    return SessionRequest(name, timeout_seconds=10.0, must_exist=must_exist)


def _take(sessions: Sessions, name: str = "a", *, is_readonly: bool = True) -> Session:
    session = sessions.take(_asked(name), is_readonly=is_readonly)
    if session.connection is None:
        session.connection = FakeConnection()
    return session


def test_a_session_is_found_again_and_is_one_clients_at_a_time() -> None:
    sessions = Sessions(max_sessions=2)
    first = _take(sessions)
    with pytest.raises(StoreError) as raised:
        _take(sessions)
    assert raised.value.code == 373
    sessions.release(first, now_seconds=0.0)
    assert _take(sessions) is first


def test_a_readonly_request_never_gets_a_session_that_may_write() -> None:
    sessions = Sessions(max_sessions=2)
    assert _take(sessions, is_readonly=False) is not _take(sessions)


def test_idle_sessions_expire_and_busy_ones_do_not() -> None:
    sessions = Sessions(max_sessions=2)
    idle, busy = _take(sessions, "idle"), _take(sessions, "busy")
    sessions.release(idle, now_seconds=100.0)
    assert sessions.expired(109.9) == []
    assert sessions.expired(110.0) == [idle]
    assert sessions.expired(1e9) == []
    assert sessions.all() == [busy]
    assert len(sessions) == 0


def test_a_session_that_did_not_open_does_not_stay() -> None:
    sessions = Sessions(max_sessions=1)
    failed = sessions.take(_asked(), is_readonly=True)
    sessions.release(failed, now_seconds=5.0)
    assert sessions.expired(5.0) == [failed]


def test_a_session_can_be_asked_to_exist() -> None:
    with pytest.raises(StoreError) as raised:
        Sessions(max_sessions=1).take(_asked(must_exist=True), is_readonly=True)
    assert raised.value.code == 372


def test_whoever_opens_sessions_and_leaves_them_keeps_nobody_out() -> None:
    sessions = Sessions(max_sessions=3)
    first, second, busy = (_take(sessions, name) for name in ("first", "second", "busy"))
    sessions.release(first, now_seconds=1.0)
    sessions.release(second, now_seconds=2.0)
    # Used again, so the other one has been idle for longer.
    sessions.release(_take(sessions, "first"), now_seconds=3.0)
    _take(sessions, "another")
    assert sessions.displaced() == [second]
    assert sessions.displaced() == []
    assert _take(sessions, "first") is first
    assert len(sessions) == 3
    assert busy in sessions.all()


def test_sessions_that_idle_on_much_memory_make_way_for_one_that_works() -> None:
    sessions = Sessions(max_sessions=9)
    for number in range(4):
        idle = _take(sessions, f"idle-{number}")
        sessions.hold(idle, 100, max_bytes=100)
        sessions.release(idle, now_seconds=float(number))
    working = _take(sessions, "working")
    assert sessions.displaced() == []
    sessions.hold(working, 100, max_bytes=100)
    assert [session.key[1] for session in sessions.displaced()] == ["idle-0"]
    with pytest.raises(StoreError) as raised:
        sessions.hold(working, 101, max_bytes=100)
    assert raised.value.code == 241
    assert sessions.displaced() == [working]


def test_where_all_sessions_are_busy_the_refusal_says_the_bound() -> None:
    sessions = Sessions(max_sessions=1)
    _take(sessions)
    with pytest.raises(StoreError) as raised:
        _take(sessions, "other")
    assert raised.value.code == 202
    assert "max_sessions = 1" in raised.value.message
