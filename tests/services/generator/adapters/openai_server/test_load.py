"""Numbers of each kind of server, under its own names; what is not said is not known."""

import pytest

from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.adapters.openai_server.load import UNKNOWN, LoadSnapshot, Numbers, numbers_of
from services.generator.domain.foreign_engine import ServerKind


def of(kind: ServerKind, text: str) -> Numbers:
    return numbers_of(text, KINDS[kind].metrics)


def test_numbers_of_several_engines_add_up_and_the_fullest_cache_counts() -> None:
    text = "".join(
        f'vllm:num_requests_running{{engine="{engine}",model_name="m"}} {engine + 1}.0\n'
        f'vllm:num_requests_waiting{{engine="{engine}"}} 1.0\n'
        f'vllm:kv_cache_usage_perc{{engine="{engine}"}} 0.{engine + 2}\n'
        f'vllm:num_preemptions_total{{engine="{engine}"}} 4.0\n'
        f'vllm:cache_config_info{{block_size="16",engine="{engine}",num_gpu_blocks="100"}} 1.0\n'
        for engine in range(2)
    )
    assert of(ServerKind.VLLM, text) == Numbers(3, 2, 0.3, 8, 16, 200)


def test_what_a_server_does_not_say_is_unknown() -> None:
    assert of(ServerKind.VLLM, "") == UNKNOWN
    assert of(ServerKind.VLLM, 'vllm:cache_config_info{block_size="None",num_gpu_blocks="1"} 1.0') == UNKNOWN
    numbers = of(ServerKind.LLAMA_CPP, "llamacpp:requests_processing 2\nllamacpp:requests_deferred 1\n")
    assert numbers == Numbers(2, 1, None, None)
    # Another server's names say nothing.
    assert of(ServerKind.SGLANG, "vllm:num_requests_running 3\n") == UNKNOWN


@pytest.mark.parametrize(
    "page",
    [
        "".join(f'vllm:num_requests_running{{engine="{engine}"}} 1\n' for engine in range(2000)),
        f'vllm:num_requests_running{{engine="{"x" * 10_000}"}} 1\n',
    ],
    ids=["series", "line"],
)
def test_a_page_of_more_series_than_a_server_has_is_not_parsed(page: str) -> None:
    with pytest.raises(ValueError, match="more series"):
        of(ServerKind.VLLM, page)


def test_what_is_no_number_is_no_metric() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        of(ServerKind.VLLM, "vllm:num_requests_running many\n")


@pytest.mark.parametrize("value", ["+Inf", "-Inf", "NaN", "-1", "1e400", "1e18"])
def test_a_number_that_cannot_be_is_not_known(value: str) -> None:
    numbers = of(ServerKind.VLLM, f"vllm:num_requests_running {value}\nvllm:kv_cache_usage_perc {value}\n")
    assert (numbers.running_requests, numbers.kv_usage) == (None, None)
    huge = f'vllm:cache_config_info{{block_size="16",num_gpu_blocks="{10**12}"}} 1.0'
    assert of(ServerKind.VLLM, huge) == UNKNOWN


def test_an_idle_server_runs_nothing_and_a_busy_one_is_as_old_as_its_silence() -> None:
    snapshot = LoadSnapshot(0.0)
    snapshot.looked(Numbers(2, 1, 0.5, 3), 10.0)
    idle = snapshot.read(0, 12.0)
    assert (idle.running_requests, idle.waiting_requests, idle.kv_usage, idle.age_seconds) == (0, 0, 0.0, 0.0)
    snapshot.stepped(5, 13.0)
    busy = snapshot.read(3, 14.0)
    assert (busy.running_requests, busy.kv_usage, busy.output_tokens_total) == (2, 0.5, 5)
    # Metrics that come late are no engine without steps.
    assert busy.age_seconds == 1.0
    late = snapshot.read(3, 40.0)
    assert (late.running_requests, late.kv_usage, late.age_seconds) == (None, None, 27.0)
    snapshot.looked(UNKNOWN, 15.0)
    blind = snapshot.read(3, 16.0)
    assert (blind.running_requests, blind.kv_usage, blind.preempted_requests_total) == (None, None, None)
    assert blind.age_seconds == 3.0
    assert snapshot.read(0, 17.0).kv_usage is None
