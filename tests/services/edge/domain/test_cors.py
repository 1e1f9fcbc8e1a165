"""Origins are compared as a whole, and no other than a listed one is ever repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.edge.domain.cors import Cors, Origin
from services.edge.domain.limits import EdgeLimits

LISTED = "https://chat.example.eu"
ORIGIN = TypeAdapter[str](Origin)


def allowed(cors: Cors, *origins: str) -> bytes | None:
    headers = dict(cors.answer_headers([origin.encode() for origin in origins]))
    return headers.get(b"access-control-allow-origin")


def test_no_origin_is_allowed_by_default() -> None:
    cors = Cors(EdgeLimits().cors_origins)
    assert not cors.is_on
    assert cors.answer_headers([b"https://chat.example.eu"]) == []
    assert cors.preflight_headers([b"https://chat.example.eu"], b"POST") == []


def test_a_listed_origin_is_allowed_and_told_what_it_may_send_and_read() -> None:
    cors = Cors((LISTED, "http://localhost:5173"))
    assert allowed(cors, LISTED) == LISTED.encode()
    assert allowed(cors, "http://localhost:5173") == b"http://localhost:5173"
    answer = dict(cors.answer_headers([LISTED.encode()]))
    assert answer[b"vary"] == b"origin"
    exposed = answer[b"access-control-expose-headers"].split(b", ")
    assert {b"x-request-id", b"retry-after", b"x-ratelimit-reset-tokens"} <= set(exposed)
    preflight = dict(cors.preflight_headers([LISTED.encode()], b"POST, OPTIONS"))
    assert preflight[b"access-control-allow-methods"] == b"POST, OPTIONS"
    assert {b"authorization", b"*"} <= set(preflight[b"access-control-allow-headers"].split(b", "))
    assert 0 < int(preflight[b"access-control-max-age"]) <= 7200


@given(st.text())
def test_any_other_origin_is_allowed_nothing_and_not_repeated(origin: str) -> None:
    cors, other = Cors((LISTED,)), origin.encode("utf-8", "replace")
    if other == LISTED.encode():
        return
    assert cors.answer_headers([other]) == [(b"vary", b"origin")]
    assert cors.preflight_headers([other], b"POST") == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.eu.evil.eu",
        "https://evil.eu/https://chat.example.eu",
        "null",
        "http://chat.example.eu",
    ],
)
def test_an_origin_that_looks_like_a_listed_one_is_another(origin: str) -> None:
    assert allowed(Cors((LISTED,)), origin) is None


def test_two_origins_are_none() -> None:
    assert allowed(Cors((LISTED,)), LISTED, LISTED) is None
    assert allowed(Cors((LISTED,))) is None


def test_any_origin_is_a_star_and_not_the_origin_itself() -> None:
    cors = Cors(("*",))
    assert allowed(cors, "https://somewhere.eu") == b"*"
    assert allowed(cors) == b"*"
    # With it, a browser would send cookies, and a page could use the keys of others.
    assert b"access-control-allow-credentials" not in dict(cors.answer_headers([b"https://somewhere.eu"]))


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://a.eu",
        "http://localhost:5173",
        "http://[::1]:3000",
        "chrome-extension://abc",
        "app://obsidian.md",
    ],
)
def test_what_browsers_send_can_be_listed(origin: str) -> None:
    assert ORIGIN.validate_python(origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "a.eu",
        "https://a.eu/",
        "https://A.eu",
        "https://a.eu:443",
        "http://a.eu:80",
        "https://*.a.eu",
    ],
)
def test_what_no_browser_sends_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValidationError):
        ORIGIN.validate_python(origin)
