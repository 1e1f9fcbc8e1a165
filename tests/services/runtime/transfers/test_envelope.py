"""Envelopes: who signed is found by trying, and nothing that was changed is signed."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.transfer import RECORD_TYPE
from services.runtime.transfers.envelope import Envelope, EnvelopeError
from tests.services.contract.test_transfer import RECORD
from tests.services.runtime.transfers.signing import PEOPLE, signed

PUBLIC = {name: key.public_key() for name, key in PEOPLE.items()}
GOOD = signed(RECORD, "ada", "bea")


def test_it_is_dsse_as_others_write_it() -> None:
    document = json.loads(GOOD.to_json())
    kind = RECORD_TYPE.encode()
    payload = base64.b64decode(document["payload"])
    content = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    assert document["payloadType"] == RECORD_TYPE
    PUBLIC["ada"].verify(base64.b64decode(document["signatures"][0]["sig"]), content)


def test_who_signed_is_not_who_is_named() -> None:
    claimed = Envelope(GOOD.payload_type, GOOD.payload).signed("bea", PEOPLE["eve"])
    assert set(claimed.signers(PUBLIC)) == {"eve"}
    assert set(Envelope.from_json(GOOD.to_json()).signers(PUBLIC)) == {"ada", "bea"}


def test_no_changed_bit_is_signed() -> None:
    chance = random.Random(5)
    for _ in range(2_000):
        changed = bytearray(GOOD.payload)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        assert not Envelope(GOOD.payload_type, bytes(changed), GOOD.signatures).signers(PUBLIC)


def test_a_payload_stands_for_no_other_type() -> None:
    assert not Envelope(GOOD.payload_type + "x", GOOD.payload, GOOD.signatures).signers(PUBLIC)


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "no base64!"},
        {"payload": 7},
        {"payloadType": 7},
        {"signatures": {}},
        {"signatures": ["x"]},
        {"signatures": [{"keyid": "ada"}]},
        {"signatures": [{"keyid": "ada", "sig": "AA=="}] * 17},
    ],
)
def test_what_is_no_envelope_is_said_to_be_none(changes: dict[str, Any]) -> None:
    document = json.loads(GOOD.to_json()) | changes
    with pytest.raises(EnvelopeError):
        Envelope.from_json(json.dumps(document).encode())


@given(
    st.binary(max_size=100)
    | st.recursive(st.none(), st.lists, max_leaves=9).map(lambda one: json.dumps(one).encode())
)
def test_no_bytes_do_anything_else(content: bytes) -> None:
    with pytest.raises(EnvelopeError):
        Envelope.from_json(content)


def test_an_endless_file_is_not_read() -> None:
    with pytest.raises(EnvelopeError):
        Envelope.from_json(b" " * 70_000 + GOOD.to_json())
