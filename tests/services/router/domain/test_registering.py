"""What a living replica holds is not given away, and what is given away is never held twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.placement.replica import Registration
from services.router.domain.registering import Membership, Session, check_free
from tests.fakes.router import CATALOG, LIMITS, registration

HELD = Session(registration(7, incarnation=5), 100)


def refused_field(wanted: Registration, *, now: float = 101) -> str:
    try:
        check_free(wanted, [HELD], now_seconds=now, silent_seconds=10)
    except ComptoirError as refusal:
        return f"{refusal.reason.name} {refusal.field}"
    return ""


@pytest.mark.parametrize("incarnation", [0, 6])
def test_a_number_of_a_living_replica_is_taken(incarnation: int) -> None:
    assert refused_field(registration(7, incarnation=incarnation)) == "ALREADY_EXISTS registration.replica"


def test_an_address_of_a_living_replica_is_taken() -> None:
    wanted = replace(registration(8, incarnation=5), address=HELD.registration.address)
    assert refused_field(wanted) == "ALREADY_EXISTS registration.address"


def test_another_number_at_another_address_is_free() -> None:
    assert refused_field(registration(8, incarnation=5)) == ""


def test_a_process_that_comes_back_is_let_in() -> None:
    assert refused_field(registration(7, incarnation=5, max_requests=1)) == ""


@given(st.integers(0, 2**64 - 1), st.floats(0, 100))
def test_exactly_a_silent_replica_loses_its_number_to_another_process(other: int, silence: float) -> None:
    wanted = registration(7, incarnation=0 if other == 5 else other)
    assert (refused_field(wanted, now=100 + silence) == "") == (silence > 10)


NAMED = Membership(CATALOG, "generator-{replica}.example", LIMITS)


@pytest.mark.parametrize(
    ("names", "is_refused"),
    [
        (None, False),
        (["generator-7.example"], False),
        (["generator-8", "generator-7.example"], False),
        ([], True),
        (["generator-8.example"], True),
        (["generator-77.example"], True),
    ],
    ids=["not asked", "its own", "one of its own", "none", "another's", "a longer number"],
)
def test_a_number_goes_with_the_name_of_a_certificate(names: list[str] | None, is_refused: bool) -> None:
    try:
        NAMED.check(registration(7), names)
    except ComptoirError as refusal:
        said = (refusal.reason, refusal.field)
    else:
        said = (Reason.UNSPECIFIED, "")
    assert said == ((Reason.CALLER_NOT_ALLOWED, "registration.replica") if is_refused else (0, ""))


@pytest.mark.parametrize("field", ["model", "region"])
def test_what_the_catalog_does_not_know_is_no_replica(field: str) -> None:
    with pytest.raises(ComptoirError) as refusal:
        NAMED.check(registration(7, **{field: 9}), None)
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, f"registration.{field}")
