"""The vectors that emitter and pipeline share hold what the pipeline stores."""

import json
from typing import Any

import pytest

from pipelines.usage.domain.frame import decode
from pipelines.usage.wire import BOUNDS, parse
from services.contract.events import Kind
from tests.contracts import frames

VECTORS: list[dict[str, Any]] = json.loads(frames.FILE.read_text(encoding="utf-8"))["frames"]


@pytest.mark.parametrize("vector", VECTORS, ids=[str(vector["insert_token"]) for vector in VECTORS])
def test_the_body_is_canonical_and_holds_the_events(vector: dict[str, Any]) -> None:
    kind = Kind(vector["kind"])
    columns = parse(decode(bytes.fromhex(vector["value"]), kind=kind))
    for field in ("producer_id", "producer_sequence", "region", "started_at_microseconds"):
        assert columns[field] == [int(event[field]) for event in vector["events"]]
    assert all(rule.admit(columns[field]) for field, rule in BOUNDS[kind].items())
