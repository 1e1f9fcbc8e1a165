"""Sessions end by themselves, and a link lets in once."""

from services.console.domain.sessions import MOST_SESSIONS, MOST_USED_LINKS, Sessions, UsedLinks


def test_a_session_lasts_until_its_end() -> None:
    sessions = Sessions(60)
    sessions.begin("secret", 0)
    assert sessions.knows("secret", 59)
    assert not sessions.knows("secret", 60)
    assert not sessions.knows("other", 1)
    assert not sessions.knows("", 1)


def test_a_session_that_was_ended_is_over() -> None:
    sessions = Sessions(60)
    sessions.begin("secret", 0)
    sessions.end("secret")
    sessions.end("unknown")
    assert not sessions.knows("secret", 1)


def test_the_oldest_session_gives_way_to_a_new_one() -> None:
    sessions = Sessions(60)
    for number in range(MOST_SESSIONS + 1):
        sessions.begin(str(number), 0)
    assert not sessions.knows("0", 1)
    assert sessions.knows("1", 1)
    sessions.begin("late", 61)
    assert not sessions.knows("1", 61)


def test_a_link_is_used_once_for_as_long_as_it_is_good() -> None:
    used = UsedLinks(600)
    assert used.use(b"a", 0)
    assert not used.use(b"a", 599)
    assert used.use(b"b", 600)
    assert used.use(b"a", 1_200)


def test_where_too_many_are_remembered_no_link_lets_in() -> None:
    used = UsedLinks(600)
    for number in range(MOST_USED_LINKS):
        assert used.use(number.to_bytes(4), 0)
    assert not used.use(b"one more", 1)
    assert used.use(b"one more", 601)
