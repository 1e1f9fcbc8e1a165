"""vLLM's outputs become deltas in the turn of the loop in which vLLM's handler of steps has them."""

from collections.abc import Sequence
from typing import Any, Final

from vllm.v1.engine.detokenizer import FastIncrementalDetokenizer
from vllm.v1.engine.exceptions import EngineDeadError

from services.generator.adapters.vllm.token_bytes import TokenBytes
from services.generator.domain.delta import Delta, EngineFinish, Measures
from services.generator.domain.ports import EngineFailedError, EngineRequest, Receive, RequestFailedError
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)
_FINISHES: Final = {finish.value: finish for finish in EngineFinish}


class StepOutputs:
    """A step's outputs on the way to those who submitted the requests.

    vLLM's processor keeps statistics of its own for every token and wraps it into two objects, each with a
    place for everything that an output may have. Tokens in the middle of an answer have nothing but
    themselves, and are decoded here; what is first, last or special goes vLLM's way.
    """

    def __init__(self, processor: Any, token_bytes: TokenBytes) -> None:
        self._token_bytes = token_bytes
        self._states: dict[str, Any] = processor.request_states
        self._process_others = processor.process_outputs
        processor.process_outputs = self.process

    def hand_over(self, collector: Any, request: EngineRequest, receive: Receive) -> None:
        """Lets `receive` have what vLLM puts into a request's collector, and what it has put there already.

        vLLM's handler gives each request of a step its part, one after the other: nobody has to be woken.
        Each of several choices is a request of its own there, all with one collector.
        """
        name, choices = collector.request_id, request.sampling.n
        for index in range(choices):
            state = self._states.get(name if choices == 1 else f"{index}_{name}")
            if state is not None:
                state.queue = receiver = Receiver(receive, index, self._token_bytes, request)
                receiver.decoder = _decoder_of(state)
        if collector.output is not None:
            Receiver(receive, 0, self._token_bytes, request).put(collector.output)

    def process(
        self,
        outputs: list[Any],
        timestamp: float | None = None,
        statistics: Any = None,
        weight_version: str | None = None,
    ) -> Any:
        """Takes the outputs of a step, in place of the processor's `process_outputs`."""
        others: list[Any] = []
        tokens = 0
        for output in outputs:
            state = self._states.get(output.request_id)
            if state is None or not _is_middle(output, state):
                others.append(output)
                continue
            receiver, ids = state.queue, output.new_token_ids
            tokens += len(ids)
            text = receiver.decoder(ids[0]) if len(ids) == 1 else "".join(map(receiver.decoder, ids))
            receiver.more(text, ids)
        if statistics is not None:
            statistics.num_generation_tokens += tokens
        return self._process_others(others, timestamp, statistics, weight_version=weight_version)


class Receiver:
    """Stands where vLLM has a request's collector, and hands on what is put there."""

    def __init__(self, receive: Receive, index: int, token_bytes: TokenBytes, request: EngineRequest) -> None:
        self._receive = receive
        self._index = index
        self._token_bytes = token_bytes
        self._likeliest = request.sampling.logprobs
        self._returns_ids = request.returns_token_ids
        self._is_measured = False
        # From a token id to its text, where no more than that has to be done for a token.
        self.decoder: Any = None

    def more(self, text: str, ids: Sequence[int]) -> None:
        """Takes what is neither the first nor the last of an answer."""
        delta = Delta(text, len(ids), index=self._index)
        if self._returns_ids:
            delta.token_ids = tuple(ids)
        self._receive(delta)

    def put(self, output: Any) -> None:
        """Takes one RequestOutput, or the error that ends them."""
        if isinstance(output, Exception):
            self._receive(
                EngineFailedError() if isinstance(output, EngineDeadError) else RequestFailedError()
            )
            return
        for completion in output.outputs:
            delta = Delta(completion.text, len(completion.token_ids), index=completion.index)
            if self._returns_ids:
                delta.token_ids = tuple(completion.token_ids)
            if completion.finish_reason is not None:
                delta.finish = _FINISHES.get(completion.finish_reason)
                if delta.finish is None:
                    self._receive(RequestFailedError())
                    return
            if not self._is_read(completion, delta):
                return
            # They are known with the first token and stay, but for what a preemption adds.
            if not self._is_measured or delta.finish is not None:
                self._is_measured = True
                delta.measures = _measures(output)
            self._receive(delta)

    def _is_read(self, completion: Any, delta: Delta) -> bool:
        """Returns whether the tokens were read, if they were asked for; what fails is this request alone."""
        if self._likeliest is None or not completion.token_ids:
            return True
        try:
            delta.tokens = self._token_bytes.choices(
                completion.token_ids, completion.logprobs, self._likeliest
            )
        except Exception as defect:  # noqa: BLE001 - it ends this request, and not the step of all others
            log_failure(_log, "tokens_not_read", defect)
            self._receive(RequestFailedError())
            return False
        return True


def _is_middle(output: Any, state: Any) -> bool:
    """Returns True for tokens of an answer that has begun and goes on, with nothing beside them."""
    return (
        output.finish_reason is None
        and output.events is None
        and output.new_logprobs is None
        and not state.is_prefilling
        and type(state.queue) is Receiver
        and state.queue.decoder is not None
    )


def _decoder_of(state: Any) -> Any:
    """Returns what decodes a token; None for a request of which vLLM itself keeps more than the decoding.

    A stop string may lie across tokens, so that vLLM holds text back.
    """
    detokenizer = state.detokenizer
    is_plain = type(detokenizer) is FastIncrementalDetokenizer and not detokenizer.stop
    return detokenizer.decode_next if is_plain and state.stream_interval == 1 else None


def _measures(output: Any) -> Measures:
    cached_tokens, stamps = output.num_cached_tokens or 0, output.metrics
    if stamps is None or not stamps.scheduled_ts:
        return Measures(cached_input_tokens=cached_tokens)
    return Measures(
        cached_input_tokens=cached_tokens,
        queue_seconds=stamps.scheduled_ts - stamps.queued_ts,
        prefill_seconds=max(0.0, stamps.first_token_ts - stamps.scheduled_ts),
    )
