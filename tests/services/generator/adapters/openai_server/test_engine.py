"""Whatever a server does, a request has one end, and its count is the server's or its failure is named."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from services.generator.adapters.openai_server.engine import OpenAiServerEngine
from services.generator.domain.bounds import Bounds
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import EngineRequest, Feature, RequestFailedError
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.watchdog import EngineLoss, until_engine_fails
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.settings import SettingsError
from tests.contracts.engine_requests import Answer, answer, deltas, until
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import (
    DONE,
    After,
    CannedServer,
    event,
    said,
    usage,
)

WHOLE = (said("Où ", 2), said("est", 3, "length"), usage(3, 2), DONE)
SECRET = "what nobody may read"


def request_of(tokens: int = 8, sampling: Sampling | None = None) -> EngineRequest:
    return EngineRequest("one", TokenIds([5, 6, 7]), sampling or Sampling(temperature=0), tokens)


async def answered(server: CannedServer, request: EngineRequest | None = None) -> Answer:
    async with server.running(), engine_before(server) as engine:
        result = await answer(deltas(engine, request or request_of()))
        assert engine.unfinished_requests() == 0
        return result


def by_bytes(pieces: Sequence[bytes]) -> list[bytes]:
    return [bytes([byte]) for piece in pieces for byte in piece]


@pytest.mark.parametrize(
    "pieces",
    [
        WHOLE,
        # As TCP may cut it, within letters too.
        by_bytes(WHOLE),
        [b"".join(WHOLE)],
        [piece.replace(b"\n\n", b"\r\n\r\n") for piece in WHOLE],
        [b": ping\n\n", *WHOLE],
        # The mark is left out, and the connection closed.
        WHOLE[:-1],
        # The last chunk comes again.
        [*WHOLE[:2], WHOLE[1], *WHOLE[2:]],
        # The count comes at the end alone.
        [said("Où "), said("est", None, "length"), usage(3, 2), DONE],
    ],
    ids=["whole", "by bytes", "at once", "CRLF", "comment", "no mark", "said twice", "late count"],
)
async def test_an_answer_is_the_same_however_it_comes(pieces: Sequence[bytes]) -> None:
    result = await answered(CannedServer(pieces))
    assert (result.text, result.output_tokens, result.finish) == ("Où est", 3, EngineFinish.LENGTH)
    assert result.cached_input_tokens == 2


@pytest.mark.parametrize(
    ("pieces", "after", "kind"),
    [
        ([said("Où ", 2)], After.CLOSES, "cut"),
        ([said("Où ", 2)[:20]], After.CLOSES, "cut"),
        ([said("Où ", 2)], After.BREAKS, "cut"),
        ([], After.CLOSES, "cut"),
        ([b"data: {nonsense}\n\n"], After.CLOSES, "no_event"),
        ([b'data: {"choices": [{"text": 5}]}\n\n'], After.CLOSES, "no_event"),
        ([b'data: {"choices": [{"text": "\xff"}]}\n\n'], After.CLOSES, "no_event"),
        ([b"data: " + b"[" * 100_000 + b"\n\n"], After.CLOSES, "no_event"),
        ([said("a", 1), event(error={"message": SECRET, "code": 500}), DONE], After.CLOSES, "error"),
        ([b'error: {"error": {"message": "x"}}\n\n'], After.CLOSES, "error"),
        ([said("a"), said("b", None, "stop"), DONE], After.CLOSES, "count_missing"),
        ([said("a"), said("b", None, "stop"), usage(0), DONE], After.CLOSES, "count_missing"),
        ([said("a", 3), said("b", 2, "stop"), DONE], After.CLOSES, "count_fell"),
        ([said("a", 9), DONE], After.CLOSES, "too_many_tokens"),
        ([said("a", 1, "abort"), DONE], After.CLOSES, "unknown_finish"),
        ([event(choices=[{"text": "a"}, {"text": "b"}])], After.CLOSES, "several_choices"),
        ([b"data: " + b"x" * 1024 * 1024] * 40, After.CLOSES, "too_long"),
    ],
)
async def test_what_cannot_be_believed_fails_the_request_alone_and_says_why(
    pieces: Sequence[bytes], after: After, kind: str
) -> None:
    server = CannedServer(pieces, after)
    async with server.running(), engine_before(server) as engine:
        with capture_logs() as logs, pytest.raises(RequestFailedError) as failure:
            await answer(deltas(engine, request_of()))
        assert [one["kind"] for one in logs if one["event"] == "engine_stream_failed"] in (
            [kind],
            # A connection that is reset may be seen before what it carried.
            ["disconnected"] if after is After.BREAKS else [kind],
        )
        assert SECRET not in repr(failure.value) + repr(logs)
        await engine.check_health()
        assert engine.unfinished_requests() == 0
        server.pieces, server.after = WHOLE, After.CLOSES
        assert (await answer(deltas(engine, request_of()))).output_tokens == 3


async def test_a_silent_stream_is_given_up() -> None:
    server = CannedServer([said("a", 1)], After.HANGS)
    async with server.running(), engine_before(server, silence_seconds=1.0) as engine:
        with capture_logs() as logs, pytest.raises(RequestFailedError):
            await answer(deltas(engine, request_of()))
        assert [one["kind"] for one in logs if one["event"] == "engine_stream_failed"] == ["silent"]
        await until(lambda: server.left == 1, 20)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("400 Bad Request", Reason.REQUEST_INVALID),
        ("422 Unprocessable Entity", Reason.REQUEST_INVALID),
        ("429 Too Many Requests", Reason.REPLICA_OVERLOADED),
        ("503 Service Unavailable", Reason.REPLICA_OVERLOADED),
    ],
)
async def test_a_refusal_has_a_reason_and_none_of_the_servers_words(status: str, reason: Reason) -> None:
    server = CannedServer([SECRET.encode()], status=status)
    with pytest.raises(ComptoirError) as refusal:
        await answered(server)
    assert refusal.value.reason is reason
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "401 Unauthorized", "302 Found"])
async def test_any_other_status_fails_the_request_alone(status: str) -> None:
    with capture_logs() as logs, pytest.raises(RequestFailedError):
        await answered(CannedServer([SECRET.encode()], status=status))
    assert [one["http_status"] for one in logs if one["event"] == "engine_refused"] == [int(status[:3])]


async def test_an_abort_closes_the_connection_and_is_the_last_that_is_told() -> None:
    server = CannedServer([said("a", 1)], After.HANGS)
    async with server.running(), engine_before(server) as engine:
        news: list[object] = []
        await engine.submit(request_of(sampling=Sampling(n=2)), news.append)
        await until(lambda: len(news) == 2, 20)
        assert engine.unfinished_requests() == 2
        await engine.abort("one")
        assert engine.unfinished_requests() == 0
        assert [getattr(one, "finish", None) for one in news] == [None, None] + [EngineFinish.ABORT] * 2
        await until(lambda: server.left == 2, 20)
        assert len(news) == 4


async def test_a_caller_that_leaves_before_the_server_has_answered_leaves_nothing_behind() -> None:
    server = CannedServer()
    silent = asyncio.Event()
    arrived = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await silent.wait()
        writer.close()

    async with server.running(), engine_before(server) as engine:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(server, "_stream", hang)
            asking = asyncio.create_task(answer(deltas(engine, request_of())))
            await arrived.wait()
            assert engine.unfinished_requests() == 1
            asking.cancel()
            await asyncio.wait({asking})
            silent.set()
        assert engine.unfinished_requests() == 0


async def test_one_choice_that_fails_ends_the_others() -> None:
    server = CannedServer([said("a", 9)], After.HANGS)
    async with server.running(), engine_before(server) as engine:
        news: list[object] = []
        await engine.submit(request_of(sampling=Sampling(n=3)), news.append)
        await until(lambda: engine.unfinished_requests() == 0, 20)
        assert [type(one) for one in news if not isinstance(one, Delta)] == [RequestFailedError]
        assert isinstance(news[-1], RequestFailedError)


async def test_each_choice_is_asked_for_by_itself_with_a_seed_of_its_own() -> None:
    server = CannedServer(WHOLE)
    result = await answered(server, request_of(sampling=Sampling(n=3, seed=7)))
    assert sorted(step.index for step in result.steps if step.finish) == [0, 1, 2]
    assert result.output_tokens == 9
    assert sorted(body["seed"] for body in server.bodies) == [7, 8, 9]


async def test_a_server_that_is_away_fails_requests_and_then_the_engine() -> None:
    server = CannedServer(WHOLE)
    async with engine_of_a_server_that_ends(server) as engine:
        with pytest.raises(RequestFailedError):
            await answer(deltas(engine, request_of()))
        assert await until_engine_fails(engine, SystemClock(), Bounds()) is EngineLoss.DIED


async def test_a_server_that_says_it_is_ill_is_given_up() -> None:
    server = CannedServer(WHOLE)
    async with server.running(), engine_before(server, unreachable_seconds=1.0) as engine:
        await engine.check_health()
        server.is_healthy = False
        async with asyncio.timeout(30):
            assert await until_engine_fails(engine, SystemClock(), Bounds()) is EngineLoss.DIED


@asynccontextmanager
async def engine_of_a_server_that_ends(server: CannedServer) -> AsyncIterator[OpenAiServerEngine]:
    running = server.running()
    await running.__aenter__()
    async with engine_before(server, unreachable_seconds=1.0) as engine:
        await running.__aexit__(None, None, None)
        yield engine


async def test_what_runs_is_known_from_its_metrics_and_unknown_without() -> None:
    told = "vllm:num_requests_running 3\nvllm:num_requests_waiting 2\nvllm:kv_cache_usage_perc 0.5\n"
    for metrics, expected in ((told, (3, 2, 0.5)), ("", (None, None, None)), (None, (None, None, None))):
        server = CannedServer([said("a", 1)], After.HANGS, metrics=metrics)
        async with server.running(), engine_before(server) as engine:
            assert (Feature.LOAD in engine.capabilities.features) == bool(metrics)
            assert (engine.load().running_requests, engine.load().waiting_requests) == (0, 0)
            news: list[object] = []
            await engine.submit(request_of(), news.append)
            load = engine.load()
            assert (load.running_requests, load.waiting_requests, load.kv_usage) == expected
            await engine.abort("one")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"models": [{"id": "one"}, {"id": "two"}]}, "one, two"),
        ({"models": []}, "no model"),
        ({"models": [{"id": "canned", "max_model_len": 32}]}, "32 tokens"),
        ({"tokens": [1, 2, 3]}, "other tokens"),
    ],
)
async def test_another_server_than_the_settings_tell_of_is_refused_at_the_start(
    told: dict[str, object], words: str
) -> None:
    server = CannedServer(**told)  # type: ignore[arg-type] # by the table above
    async with server.running():
        with pytest.raises(SettingsError, match=words):
            async with engine_before(server):
                pass
