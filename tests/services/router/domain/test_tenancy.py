"""What a key may use, and until when."""

import pytest

from services.router.domain.tenancy import Endpoint, Key, NewKey, Quota, Tenant


def key(**fields: object) -> Key:
    values = {
        "number": 4,
        "tenant": Tenant(3, "acme", 2, 1),
        "digest": b"d" * 32,
        "label": "test",
        "models": frozenset(),
        "quota": Quota(),
        "created_at_seconds": 1,
        **fields,
    }
    return Key(**values)  # type: ignore[arg-type]


def test_a_key_without_models_may_use_all() -> None:
    assert key().may_use(1)


def test_a_key_with_models_may_use_those_only() -> None:
    limited = key(models=frozenset({1}))
    assert (limited.may_use(1), limited.may_use(2)) == (True, False)


def test_a_key_without_a_scope_goes_anywhere_and_one_with_it_nowhere_else() -> None:
    limited = key(endpoints=frozenset({Endpoint.COUNTS}), regions=frozenset({2}))
    assert all(key().may_call(endpoint) for endpoint in Endpoint)
    assert [endpoint for endpoint in Endpoint if limited.may_call(endpoint)] == [Endpoint.COUNTS]
    assert (key().may_be_served_in(1), limited.may_be_served_in(1), limited.may_be_served_in(2)) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("expires_at_seconds", "until_seconds", "ends_at_seconds"),
    [(0, 500, 500), (400, 500, 400), (600, 500, 500)],
)
def test_the_secret_of_before_a_rotation_ends_with_its_overlap_or_its_key(
    expires_at_seconds: int, until_seconds: int, ends_at_seconds: int
) -> None:
    rotated = key(
        expires_at_seconds=expires_at_seconds,
        previous_digest=b"o" * 32,
        previous_until_seconds=until_seconds,
    )
    assert rotated.shown_as(b"d" * 32) == rotated
    assert rotated.shown_as(b"x" * 32) is None
    shown = rotated.shown_as(b"o" * 32)
    assert shown is not None
    assert (shown.number, shown.expires_at_seconds) == (4, ends_at_seconds)


def test_a_secret_of_before_without_an_overlap_is_over() -> None:
    shown = key(previous_digest=b"o" * 32).shown_as(b"o" * 32)
    assert shown is not None
    assert shown.is_expired(2)


@pytest.mark.parametrize(
    ("expires_at_seconds", "now_seconds", "is_expired"),
    [(0, 10**12, False), (100, 99.9, False), (100, 100, True), (100, 101, True)],
)
def test_a_key_ends_when_it_said(expires_at_seconds: int, now_seconds: float, is_expired: bool) -> None:
    assert key(expires_at_seconds=expires_at_seconds).is_expired(now_seconds) is is_expired


def test_a_digest_never_shows() -> None:
    new = NewKey("acme", b"d" * 32, "test", (), Quota(), 1)
    assert "dddd" not in repr(key(previous_digest=b"d" * 32)) + repr(new)
