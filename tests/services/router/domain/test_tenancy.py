"""What a key may use, and until when."""

import pytest

from services.router.domain.tenancy import Key, NewKey, Quota, Tenant


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


@pytest.mark.parametrize(
    ("expires_at_seconds", "now_seconds", "is_expired"),
    [(0, 10**12, False), (100, 99.9, False), (100, 100, True), (100, 101, True)],
)
def test_a_key_ends_when_it_said(expires_at_seconds: int, now_seconds: float, is_expired: bool) -> None:
    assert key(expires_at_seconds=expires_at_seconds).is_expired(now_seconds) is is_expired


def test_a_digest_never_shows() -> None:
    new = NewKey("acme", b"d" * 32, "test", (), Quota(), 1)
    assert "dddd" not in repr(key()) + repr(new)
