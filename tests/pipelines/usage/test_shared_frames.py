"""The vectors that emitter and pipeline share: what one seals, the other reads as the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.usage.domain.errors import BadFrameError
from pipelines.usage.domain.frame import Kind, decode
from pipelines.usage.wire import BOUNDS, parse

SHARED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).resolve().parents[2] / "contracts" / "frames.json").read_text(encoding="utf-8")
)
VECTORS = SHARED["frames"]


def test_every_kind_has_a_vector() -> None:
    assert {vector["kind"] for vector in VECTORS} == set(Kind)


@pytest.mark.parametrize("vector", VECTORS, ids=[str(vector["insert_token"]) for vector in VECTORS])
def test_the_header_and_the_token_are_what_the_emitter_meant(vector: dict[str, Any]) -> None:
    frame = decode(bytes.fromhex(vector["value"]), kind=Kind(vector["kind"]))
    assert f"{frame.header.producer_id:016x}" == vector["producer_id"]
    assert frame.header.first_sequence == vector["first_sequence"]
    assert frame.header.count == vector["count"]
    assert f"{frame.header.crc32:08x}" == vector["crc"]
    assert frame.token == vector["insert_token"]


@pytest.mark.parametrize("vector", VECTORS, ids=[str(vector["insert_token"]) for vector in VECTORS])
def test_the_body_is_canonical_and_holds_the_events(vector: dict[str, Any]) -> None:
    kind = Kind(vector["kind"])
    columns = parse(decode(bytes.fromhex(vector["value"]), kind=kind))
    for field in ("producer_id", "producer_sequence", "region", "started_at_microseconds"):
        assert columns[field] == [int(event[field]) for event in vector["events"]]
    assert all(rule.admit(columns[field]) for field, rule in BOUNDS[kind].items())


@pytest.mark.parametrize("vector", SHARED["broken"], ids=lambda vector: vector["rule"])
def test_a_broken_vector_is_no_frame(vector: dict[str, str]) -> None:
    with pytest.raises(BadFrameError):
        decode(bytes.fromhex(vector["value"]), kind=Kind.GENERATION)
