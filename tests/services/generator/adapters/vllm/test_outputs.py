"""Whoever submitted a request gets from a step what vLLM's own processor would have made of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.generator.adapters.vllm.environment import quiet_import, set_environment
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import EngineFailedError, EngineRequest, RequestFailedError
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError

pytestmark = pytest.mark.vllm

MODEL = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
VOCABULARY = 512
STEPS = st.lists(st.lists(st.integers(4, VOCABULARY - 1), min_size=1, max_size=3), min_size=1, max_size=12)


@dataclass
class Answer:
    """What came of one request."""

    pieces: list[str] = field(default_factory=list)
    output_tokens: int = 0
    finish: EngineFinish | None = None
    failure: Exception | None = None

    def receive(self, news: Delta | EngineFailedError | RequestFailedError | ComptoirError) -> None:
        if not isinstance(news, Delta):
            self.failure = news
            return
        self.pieces.append(news.text)
        self.output_tokens += news.output_tokens
        self.finish = news.finish


class Processor:
    """vLLM's processor with one request, whose tokens the test chooses."""

    def __init__(self, *, is_ours: bool, stop: tuple[str, ...] = ()) -> None:
        from transformers import AutoTokenizer  # noqa: PLC0415 - after its environment
        from vllm.v1.engine.output_processor import OutputProcessor  # noqa: PLC0415

        from services.generator.adapters.vllm.outputs import Receiver, StepOutputs  # noqa: PLC0415
        from services.generator.adapters.vllm.token_bytes import TokenBytes  # noqa: PLC0415

        self.answer = Answer()
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        token_bytes = TokenBytes(tokenizer)
        asked = EngineRequest("1", TokenIds([1, 2, 3]), Sampling(), 512, returns_token_ids=True)
        self.vllm = OutputProcessor(tokenizer, log_stats=True)
        collector = self._add(list(stop))
        if is_ours:
            StepOutputs(self.vllm, token_bytes).hand_over(collector, asked, self.answer.receive)
        else:
            collector.put = Receiver(self.answer.receive, 0, token_bytes, asked).put

    def _add(self, stop: list[str]) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: PLC0415
        from vllm.v1.engine import EngineCoreRequest  # noqa: PLC0415
        from vllm.v1.engine.output_processor import RequestOutputCollector  # noqa: PLC0415

        params = SamplingParams(max_tokens=512, stop=stop, output_kind=RequestOutputKind.DELTA)
        request = EngineCoreRequest(
            request_id="1",
            external_req_id="1",
            prompt_token_ids=[1, 2, 3],
            mm_features=None,
            sampling_params=params,
            pooling_params=None,
            arrival_time=0.0,
            lora_request=None,
            cache_salt=None,
            data_parallel_rank=None,
        )
        collector = RequestOutputCollector(params.output_kind, "1")
        self.vllm.add_request(request, None, None, 0, collector)
        return collector

    def run(self, steps: list[list[int]]) -> tuple[str, int, EngineFinish | None]:
        """Gives the tokens of each step, the last as the end of the answer; returns what was received."""
        from vllm.v1.engine import EngineCoreOutput, FinishReason  # noqa: PLC0415

        for number, ids in enumerate(steps, 1):
            finish = FinishReason.LENGTH if number == len(steps) else None
            self.step(EngineCoreOutput(request_id="1", new_token_ids=ids, finish_reason=finish))
        return "".join(self.answer.pieces), self.answer.output_tokens, self.answer.finish

    def step(self, output: Any) -> Any:
        """Takes one output; returns the statistics of its step."""
        from vllm.v1.metrics.stats import IterationStats  # noqa: PLC0415

        statistics = IterationStats()
        self.vllm.process_outputs([output], 1.0, statistics, weight_version="default")
        return statistics


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    with quiet_import():
        import vllm.v1.engine.output_processor  # noqa: F401, PLC0415 - slow, and quiet only here


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from([(), ("e",), ("nd", "\n")]))
def test_text_and_tokens_are_those_of_vllms_own_processor(
    steps: list[list[int]], stop: tuple[str, ...]
) -> None:
    ours, theirs = Processor(is_ours=True, stop=stop), Processor(is_ours=False, stop=stop)
    assert ours.run(steps) == theirs.run(steps)
    assert ours.vllm.get_num_unfinished_requests() == 0


def test_every_token_is_counted_for_the_load() -> None:
    from vllm.v1.engine import EngineCoreOutput  # noqa: PLC0415

    processor = Processor(is_ours=True)
    counted = [
        processor.step(EngineCoreOutput(request_id="1", new_token_ids=ids)).num_generation_tokens
        for ids in ([5], [6, 7], [8])
    ]
    assert counted == [1, 2, 1]


def test_a_token_in_the_middle_of_an_answer_is_made_no_output_of_vllms() -> None:
    from vllm.v1.engine import EngineCoreOutput  # noqa: PLC0415

    processor = Processor(is_ours=True)
    processor.step(EngineCoreOutput(request_id="1", new_token_ids=[5]))
    (state,) = processor.vllm.request_states.values()
    state.make_request_output = None  # whoever calls it fails
    processor.step(EngineCoreOutput(request_id="1", new_token_ids=[6]))
    assert processor.answer.output_tokens == 2


def test_an_answer_that_is_aborted_ends_with_that() -> None:
    from vllm.v1.engine import EngineCoreOutput  # noqa: PLC0415

    processor = Processor(is_ours=True)
    processor.step(EngineCoreOutput(request_id="1", new_token_ids=[5]))
    processor.vllm.abort_requests(["1"], internal=False)
    assert processor.answer.finish is EngineFinish.ABORT


def test_a_dead_engine_is_told_to_those_who_wait() -> None:
    from vllm.v1.engine.exceptions import EngineDeadError  # noqa: PLC0415

    processor = Processor(is_ours=True)
    processor.vllm.propagate_error(EngineDeadError())
    assert isinstance(processor.answer.failure, EngineFailedError)
