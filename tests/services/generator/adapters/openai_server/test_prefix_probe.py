"""A server that is said to have no prefix cache is asked, and refused where it has one."""

import pytest
from structlog.testing import capture_logs

from services.runtime.settings import SettingsError
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import (
    DONE,
    After,
    CannedServer,
    said,
    usage,
)

OFF = {"prefix_cache": "off"}
UNCHECKED = "engine_prefix_cache_unchecked"


def server_of(cached: int = 0, metrics: str | None = None) -> CannedServer:
    return CannedServer([said("a", 1, "length"), usage(1, cached), DONE], metrics=metrics)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("vllm", "--no-enable-prefix-caching"),
        ("sglang", "--disable-radix-cache"),
        ("tensorrt_llm", "enable_block_reuse: false"),
    ],
)
async def test_a_server_that_says_cached_tokens_is_refused_with_what_to_set(kind: str, says: str) -> None:
    server = server_of(cached=2)
    async with server.running():
        with pytest.raises(SettingsError, match=says):
            async with engine_before(server, kind=kind, **OFF):
                pass
    first, second = (body["prompt"] for body in server.bodies)
    assert first == second
    # All of the context of this server but the answer's.
    assert len(first) == 56


async def test_a_prompt_is_by_chance() -> None:
    prompts = set()
    for _ in range(2):
        server = server_of()
        async with server.running(), engine_before(server, **OFF):
            prompts.add(tuple(server.bodies[0]["prompt"]))
    assert len(prompts) == 2


async def test_hits_of_the_metrics_tell_as_well() -> None:
    server = server_of(metrics="")

    def page() -> str:
        hits = 5.0 + 48 * (len(server.bodies) // 2)
        return (
            f"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:prefix_cache_hits_total {hits}\n"
        )

    server.metrics = page
    async with server.running():
        with pytest.raises(SettingsError, match="of 56 tokens that were sent twice, 48 came"):
            async with engine_before(server, **OFF):
                pass


@pytest.mark.parametrize(
    ("kind", "metrics", "is_checked"),
    [
        ("vllm", "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n", True),
        ("sglang", "sglang:num_running_reqs 0\nsglang:num_queue_reqs 0\n", True),
        ("vllm", None, False),
        ("sglang", None, False),
        ("tensorrt_llm", None, True),
        ("llama_cpp", None, True),
    ],
)
async def test_a_server_of_which_nothing_can_be_told_is_believed_and_logged(
    kind: str, metrics: str | None, is_checked: bool
) -> None:
    server = server_of(metrics=metrics)
    with capture_logs() as logs:
        async with server.running(), engine_before(server, kind=kind, **OFF):
            assert len(server.bodies) == 2
    assert bool([one for one in logs if one["event"] == UNCHECKED]) != is_checked


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "503 Service Unavailable", "400 Bad Request"]
)
async def test_a_server_that_does_not_answer_is_not_believed(status: str) -> None:
    server = CannedServer(status=status)
    async with server.running():
        with pytest.raises(SettingsError, match="prefix_cache is off"):
            async with engine_before(server, **OFF):
                pass
    assert len(server.bodies) == 1


@pytest.mark.parametrize("told", [{}, {"prefix_cache": "one_tenant"}])
async def test_nothing_is_asked_where_a_salt_or_one_tenant_keeps_apart(told: dict[str, str]) -> None:
    server = server_of(cached=2)
    async with server.running(), engine_before(server, **told):
        assert server.bodies == []


async def test_a_server_that_never_ends_an_answer_does_not_hold_a_start_up_for_ever() -> None:
    server = CannedServer([b": still there\n\n"], After.HANGS)
    async with server.running():
        with pytest.raises(SettingsError, match="does not end its first answers"):
            async with engine_before(server, start_seconds=1.0, **OFF):
                pass
        await until(lambda: server.left == 1, 60)
