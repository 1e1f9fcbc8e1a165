"""SGLang and TensorRT-LLM as their source has them: streams, errors, numbers, and where they leave OpenAI."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.adapters.openai_server.load import UNKNOWN, Numbers, numbers_of
from services.generator.domain.delta import EngineFinish
from services.generator.domain.foreign_engine import ServerKind
from services.generator.domain.ports import EngineRequest, Feature, RequestFailedError
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import Answer, answer, deltas, until
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import OK, CannedServer
from tests.services.generator.adapters.openai_server.recorded_server import (
    FIXTURES,
    SETTINGS,
    recorded,
    recorded_server,
)

SGLANG, TENSORRT_LLM = ServerKind.SGLANG, ServerKind.TENSORRT_LLM
SAID = "Où est l\N{RIGHT SINGLE QUOTATION MARK}hôtel ?"
STOPPED = Sampling(temperature=0, stop=("END",))


async def answered(
    kind: ServerKind, server: CannedServer, sampling: Sampling | None = None, *, ids: bool = False
) -> Answer:
    prompt = TokenIds(list(range(5, 12)))
    request = EngineRequest("one", prompt, sampling or Sampling(temperature=0), 8, returns_token_ids=ids)
    told, server.pieces, status, server.status = (
        server.pieces,
        [recorded(kind, "whole.sse")],
        server.status,
        OK,
    )
    async with server.running(), engine_before(server, **SETTINGS[kind]) as engine:
        server.pieces, server.status = told, status
        result = await answer(deltas(engine, request))
        assert engine.unfinished_requests() == 0
        return result


@pytest.mark.parametrize("kind", [SGLANG, TENSORRT_LLM])
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "by bytes"])
async def test_an_answer_is_read_with_its_empty_texts_and_half_letters(
    kind: ServerKind, is_cut: bool
) -> None:
    server = recorded_server(kind)
    if is_cut:
        server.pieces = [bytes([byte]) for byte in recorded(kind, "whole.sse")]
    result = await answered(kind, server)
    assert (result.text, result.output_tokens, result.finish) == (SAID, 6, EngineFinish.STOP)
    assert result.cached_input_tokens == (4 if kind is SGLANG else 0)


@pytest.mark.parametrize(
    ("kind", "name", "cached"),
    # SGLang does not say without `--enable-cache-report`, TensorRT-LLM says it with each chunk.
    [(SGLANG, "length_without_cache_report.sse", 0), (TENSORRT_LLM, "length_with_reuse.sse", 4)],
)
async def test_an_answer_as_long_as_it_may_be_says_what_was_cached_where_the_server_does(
    kind: ServerKind, name: str, cached: int
) -> None:
    result = await answered(kind, recorded_server(kind, name))
    assert (result.text, result.output_tokens, result.finish) == ("Un deux trois", 4, EngineFinish.LENGTH)
    assert result.cached_input_tokens == cached


async def test_token_ids_of_sglang_come_with_the_ids_of_the_prompt_beside_them() -> None:
    result = await answered(SGLANG, recorded_server(SGLANG, "token_ids.sse"), ids=True)
    assert [token for step in result.steps for token in step.token_ids] == [9, 10, 11, 12]


@pytest.mark.parametrize("kind", [SGLANG, TENSORRT_LLM])
async def test_the_beginning_of_a_stop_string_is_no_part_of_the_answer(kind: ServerKind) -> None:
    server = recorded_server(kind, "stop_over_two_chunks.sse")
    result = await answered(kind, server, STOPPED)
    assert (result.text, result.output_tokens, result.finish) == ("Oui ", 3, EngineFinish.STOP)
    # Only a server that leaves the string in lets it be cut off where it begins.
    assert server.bodies[-1][KINDS[kind].keeps_stops] is True


async def test_what_only_begins_as_a_stop_string_is_told() -> None:
    result = await answered(SGLANG, recorded_server(SGLANG, "stop_that_was_none.sse"), STOPPED)
    assert (result.text, result.output_tokens) == ("Oui EN route EN", 4)


@pytest.mark.parametrize(
    ("kind", "name", "fault"),
    [
        (SGLANG, "aborted_by_operator.sse", "unknown_finish"),
        (SGLANG, "out_of_memory_later.sse", "error"),
        (SGLANG, "failed_later.sse", "error"),
        (TENSORRT_LLM, "cancelled.sse", "unknown_finish"),
        (TENSORRT_LLM, "timed_out.sse", "unknown_finish"),
        (TENSORRT_LLM, "failed_first.sse", "error"),
        (TENSORRT_LLM, "failed_later.sse", "error"),
    ],
)
async def test_an_end_that_no_caller_asked_for_fails_the_request_by_name(
    kind: ServerKind, name: str, fault: str
) -> None:
    with capture_logs() as logs, pytest.raises(RequestFailedError):
        await answered(kind, recorded_server(kind, name))
    assert [one["kind"] for one in logs if one["event"] == "engine_stream_failed"] == [fault]


async def test_a_full_queue_that_is_told_within_the_stream_lets_the_caller_try_another_replica() -> None:
    with pytest.raises(ComptoirError) as refusal:
        await answered(SGLANG, recorded_server(SGLANG, "queue_full.sse"))
    assert refusal.value.reason is Reason.REPLICA_OVERLOADED


async def test_a_full_queue_of_one_choice_does_not_refuse_what_another_has_begun() -> None:
    full = recorded(SGLANG, "queue_full.sse")
    begun = recorded(SGLANG, "whole.sse")
    server = recorded_server(SGLANG)
    # The first has said it all when the second is told.
    server.by_seed = {1: [begun], 2: [full]}
    with pytest.raises(RequestFailedError):
        await answered(SGLANG, server, Sampling(temperature=0, n=2, seed=1))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SGLANG, "too_long.json"),
        (SGLANG, "invalid.json"),
        (TENSORRT_LLM, "too_long.json"),
        (TENSORRT_LLM, "unknown_field.json"),
    ],
)
async def test_what_a_server_refuses_as_it_was_sent_is_refused_without_its_words(
    kind: ServerKind, name: str
) -> None:
    with pytest.raises(ComptoirError) as refusal:
        await answered(kind, recorded_server(kind, name, 400))
    assert refusal.value.reason is Reason.REQUEST_INVALID


async def test_a_server_that_fails_before_it_answers_fails_the_request() -> None:
    with capture_logs() as logs, pytest.raises(RequestFailedError):
        await answered(SGLANG, recorded_server(SGLANG, "failed_first.json", 500))
    assert [one["http_status"] for one in logs if one["event"] == "engine_refused"] == [500]


def of(kind: ServerKind, name: str) -> Numbers:
    return numbers_of(recorded(kind, name).decode(), KINDS[kind].metrics)


def test_requests_that_sglang_counts_again_by_priority_count_once() -> None:
    assert of(SGLANG, "metrics_priority.txt") == Numbers(3, 2, 0.25, 2)


def test_ranks_of_sglang_add_up_and_the_fullest_cache_counts() -> None:
    assert of(SGLANG, "metrics_ranks.txt") == Numbers(4, 2, 0.75, 4)


def test_tensorrt_llm_says_its_load_only_with_the_numbers_of_its_iterations() -> None:
    assert of(TENSORRT_LLM, "metrics.txt") == Numbers(3, 2, 0.25, None)
    assert of(TENSORRT_LLM, "metrics_without_iterations.txt") == UNKNOWN
    assert of(TENSORRT_LLM, "metrics_as_json.json") == UNKNOWN


@pytest.mark.parametrize("kind", [SGLANG, TENSORRT_LLM])
async def test_load_is_that_of_the_servers_own_page(kind: ServerKind) -> None:
    server = recorded_server(kind)
    async with server.running(), engine_before(server, **SETTINGS[kind]) as engine:
        assert Feature.LOAD in engine.capabilities.features
        await until(lambda: any(KINDS[kind].metrics.path.encode() in head for head in server.headers), 30)


async def test_numbers_of_tensorrt_llm_that_are_not_told_are_logged_as_unknown() -> None:
    server = recorded_server(TENSORRT_LLM)
    server.metrics = recorded(TENSORRT_LLM, "metrics_without_iterations.txt").decode()
    with capture_logs() as logs:
        async with server.running(), engine_before(server, **SETTINGS[TENSORRT_LLM]) as engine:
            assert Feature.LOAD not in engine.capabilities.features
    assert [one for one in logs if one["event"] == "engine_load_unknown"]


def test_each_fixture_has_its_source_beside_it() -> None:
    for folder in (FIXTURES / SGLANG.value, FIXTURES / TENSORRT_LLM.value):
        told = (folder / "SOURCES.md").read_text()
        names = {path.name for path in folder.iterdir()} - {"SOURCES.md"}
        assert {name for name in names if f"`{name}`" not in told} == set()


def cut(pieces: Sequence[bytes], sizes: Sequence[int]) -> list[bytes]:
    whole, found = b"".join(pieces), []
    for size in sizes:
        found.append(whole[:size])
        whole = whole[size:]
    return [piece for piece in [*found, whole] if piece]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=12), st.sampled_from([SGLANG, TENSORRT_LLM]))
async def test_wherever_the_network_cuts_an_answer_it_is_the_same(sizes: list[int], kind: ServerKind) -> None:
    server = recorded_server(kind)
    server.pieces = cut(server.pieces, sizes)
    assert (await answered(kind, server)).text == SAID
