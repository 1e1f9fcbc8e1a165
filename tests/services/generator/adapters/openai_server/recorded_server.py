"""SGLang and TensorRT-LLM as they were written down in `fixtures`, behind a real socket."""

import json
from pathlib import Path
from typing import Final

from services.generator.domain.foreign_engine import ServerKind
from tests.services.generator.adapters.openai_server.canned_server import OK, CannedServer

FIXTURES: Final = Path(__file__).parent / "fixtures"
STATUSES: Final = {400: "400 Bad Request", 500: "500 Internal Server Error"}
# What a generator is told of each beside its kind.
SETTINGS: Final[dict[ServerKind, dict[str, str]]] = {
    ServerKind.SGLANG: {"kind": "sglang"},
    ServerKind.TENSORRT_LLM: {"kind": "tensorrt_llm", "prefix_cache": "one_tenant"},
}


def recorded(kind: ServerKind, name: str) -> bytes:
    """What a server of the kind said."""
    return (FIXTURES / kind.value / name).read_bytes()


def recorded_server(kind: ServerKind, answer: str = "whole.sse", status: int = 200) -> CannedServer:
    """A server that answers every completion with a fixture, and describes itself as the kind does."""
    server = CannedServer([recorded(kind, answer)], status=STATUSES.get(status, OK))
    server.models = json.loads(recorded(kind, "models.json"))["data"]
    if kind is ServerKind.SGLANG:
        server.description = recorded(kind, "openapi.json").decode()
        server.metrics = recorded(kind, "metrics_priority.txt").decode()
    else:
        server.metrics = recorded(kind, "metrics.txt").decode()
    return server
