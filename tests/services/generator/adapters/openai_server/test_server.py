"""A server that is busy or slow is not away, and what it says beyond belief harms nobody."""

from contextlib import nullcontext

import pytest
from structlog.testing import capture_logs

from services.generator.adapters.openai_server.connection import Connection
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.adapters.openai_server.load import LoadSnapshot
from services.generator.adapters.openai_server.server import Server
from services.generator.domain.foreign_engine import OpenAiServerParameters, ServerKind
from services.kernel.clock import ManualClock
from services.runtime.settings import SettingsError
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import DONE, CannedServer, said, usage


def test_a_server_whose_answers_go_on_can_be_reached() -> None:
    clock, parameters = ManualClock(), OpenAiServerParameters()
    snapshot = LoadSnapshot(clock.monotonic_seconds())
    server = Server(Connection(parameters), KINDS[ServerKind.VLLM], parameters, snapshot, clock)
    clock.advance(11.0)
    assert not server.is_reachable
    snapshot.stepped(1, clock.monotonic_seconds())
    assert server.is_reachable
    # An idle engine that is asked for its load says nothing.
    clock.advance(11.0)
    snapshot.read(0, clock.monotonic_seconds())
    assert not server.is_reachable


async def test_metrics_that_do_not_come_hold_up_no_look_at_the_health() -> None:
    server = CannedServer()
    async with server.running(), engine_before(server, load_interval_seconds=0.02) as engine:
        server.silent_path = "/metrics"
        server.headers.clear()
        await until(lambda: sum(b" /health " in head for head in server.headers) > 20, 9)
        await engine.check_health()


async def test_numbers_beyond_belief_end_no_look() -> None:
    server = CannedServer(metrics="vllm:num_requests_running +Inf\nvllm:kv_cache_usage_perc NaN\n")
    async with server.running(), engine_before(server) as engine:
        server.headers.clear()
        await until(lambda: sum(b" /metrics " in head for head in server.headers) > 2, 30)
        await engine.check_health()
        assert engine.load().kv_usage is None


@pytest.mark.parametrize(
    "page",
    [
        "# HELP x y\n" * 1_000_000,
        "vllm:num_requests_running " + "1" * 9_000_000,
        "vllm:num_requests_running 1\n" * 200_000,
    ],
    ids=["too long", "one line", "series"],
)
async def test_a_monstrous_page_of_numbers_is_no_load_and_ends_nothing(page: str) -> None:
    server = CannedServer(metrics=page)
    async with server.running(), engine_before(server, load_interval_seconds=0.02) as engine:
        server.headers.clear()
        await until(lambda: sum(b" /metrics " in head for head in server.headers) > 1, 60)
        await engine.check_health()
        assert engine.load().kv_usage is None


@pytest.mark.parametrize(
    ("told", "is_salted"),
    [
        ({"kind": "vllm"}, True),
        ({"kind": "sglang"}, True),
        ({"kind": "sglang", "prefix_cache": "off"}, False),
        ({"kind": "llama_cpp"}, False),
    ],
)
async def test_a_server_that_knows_no_salt_is_refused_where_a_salt_keeps_tenants_apart(
    told: dict[str, str], is_salted: bool
) -> None:
    for description, starts in (
        ('{"CompletionRequest": {"cache_salt": {}}}', True),
        (None, True),
        ('{"CompletionRequest": {"user": {}}}', not is_salted),
    ):
        server = CannedServer([said("a", 1, "length"), usage(1), DONE], description=description)
        async with server.running():
            with capture_logs() as logs:
                expected = nullcontext() if starts else pytest.raises(SettingsError, match="no cache_salt")
                with expected:
                    async with engine_before(server, **told):
                        pass
            warned = [one for one in logs if one["event"] == "engine_salt_unchecked"]
            assert bool(warned) == (description is None and is_salted)
