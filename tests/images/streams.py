"""Answers that are streamed through the containers, and what was counted of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from comptoir.usage.v1 import usage_pb2

from services.contract.events import Kind
from services.emitter.adapters.spool.store import SpoolStore
from services.emitter.domain.limits import SpoolFile
from services.kernel.clock import SystemClock
from tests.images.pods import Pods

_PROGRAM: Final = Path(__file__).parent / "programs" / "stream.py"
_SECONDS: Final = 240


def stream(pods: Pods, api_key: str, tokens: int) -> "subprocess.Popen[str]":
    """OpenAI's SDK, asking for so many tokens from the containers' network."""
    authority = str(pods.authority.files("any").ca_file)
    return pods.client(sys.executable, _PROGRAM, "https://127.0.0.1:8443/v1", api_key, authority, str(tokens))


def chunks(program: "subprocess.Popen[str]") -> Iterator[dict[str, object]]:
    """What the SDK says of each chunk, as it comes."""
    assert program.stdout is not None
    for line in program.stdout:
        yield json.loads(line)


def ended(program: "subprocess.Popen[str]", said: list[dict[str, object]]) -> int:
    """The output tokens of a stream that came to its end."""
    _, errors = program.communicate(timeout=_SECONDS)
    assert program.returncode == 0, errors
    assert [it["finish_reason"] for it in said if it["finish_reason"]] == ["length"]
    tokens = said[-1]["output_tokens"]
    assert isinstance(tokens, int)
    return tokens


def new_key(pods: Pods, tenant: str) -> str:
    """An API key, made by the CLI's image as an operator does."""
    pods.run_cli("tenants", "create", tenant)
    made = json.loads(pods.run_cli("keys", "create", "--tenant", tenant, "--json"))
    return str(made["api_key"])


def generations(pods: Pods) -> list[usage_pb2.Generation]:
    """What the emitter kept on its volume."""
    folder = pods.data("comptoir-emitter") / "spool"
    store = SpoolStore(SpoolFile(spool_folder=folder, durability="process", remember_event_ids_seconds=60.0))
    with store.transaction():
        frames = store.frames(Kind.GENERATION, 10**6, SystemClock().wall_microseconds(), is_draining=True)
    store.close()
    return [one for each in frames for one in usage_pb2.GenerationFrame.FromString(each.body).events]
