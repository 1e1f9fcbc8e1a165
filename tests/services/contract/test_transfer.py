"""What a transfer record must say, when it is in force, and who may have signed it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.contract.transfer import (
    MAX_SECONDS,
    Mechanism,
    Revocation,
    TransferRecord,
    digest_of,
    record_from,
    two_people,
)

RECORD = TransferRecord(
    number=7,
    region="us-east",
    home_regions=("eu-fr", "eu-de"),
    importer="Comptoir US, Inc.",
    mechanism=Mechanism.SCC,
    assessment_sha256="ab" * 32,
    from_seconds=1_000,
    until_seconds=2_000,
)


@pytest.mark.parametrize(
    ("now", "is_permitted"), [(999.9, False), (1_000, True), (1_999.9, True), (2_000, False)]
)
def test_it_is_in_force_from_its_first_second_until_its_last(now: float, is_permitted: bool) -> None:
    assert RECORD.permits("us-east", "eu-fr", now) is is_permitted


@pytest.mark.parametrize(("region", "home"), [("ae", "eu-fr"), ("us-east", "eu-pl"), ("eu-fr", "us-east")])
def test_it_permits_one_region_and_the_homes_that_it_names(region: str, home: str) -> None:
    assert not RECORD.permits(region, home, 1_500)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"home_regions": []},
        {"importer": ""},
        {"mechanism": "handshake"},
        {"assessment_sha256": "AB" * 32},
        {"until_seconds": 1_000},
        {"until_seconds": 1_000 + MAX_SECONDS + 1},
        {"note": "anything else"},
    ],
)
def test_a_record_that_breaks_a_rule_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TransferRecord.model_validate({**RECORD.model_dump(mode="json"), **changes})


def test_what_is_signed_is_read_back() -> None:
    assert record_from(RECORD.payload()) == RECORD
    ended = Revocation(number=7, record_sha256=digest_of(RECORD.payload()), at_seconds=1_500)
    assert Revocation.model_validate_json(ended.payload()) == ended


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_none(payload: bytes) -> None:
    assert record_from(payload) is None


@pytest.mark.parametrize(
    ("requesters", "approvers", "pair"),
    [
        ({"ada": b"1"}, {"bea": b"2"}, ("ada", "bea")),
        ({"ada": b"1"}, {}, None),
        ({}, {"bea": b"2"}, None),
        ({"ada": b"1"}, {"ada": b"1"}, None),
        # One key under two names is one person, and so are two keys under one name.
        ({"ada": b"1"}, {"bea": b"1"}, None),
        ({"ada": b"1"}, {"ada": b"2"}, None),
        ({"ada": b"1", "bea": b"2"}, {"bea": b"2"}, ("ada", "bea")),
    ],
)
def test_one_asks_and_another_approves(
    requesters: dict[str, bytes], approvers: dict[str, bytes], pair: tuple[str, str] | None
) -> None:
    assert two_people(requesters, approvers) == pair
