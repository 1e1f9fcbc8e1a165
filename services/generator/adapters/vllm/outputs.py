"""vLLM's outputs become deltas in the turn of the loop in which vLLM's handler of steps has them."""

from typing import Any, Final

from vllm.v1.engine.exceptions import EngineDeadError

from services.generator.domain.delta import Delta, EngineFinish, Measures
from services.generator.domain.ports import EngineFailedError, Receive, RequestFailedError

_FINISHES: Final = {finish.value: finish for finish in EngineFinish}


def hand_over(collector: Any, receive: Receive) -> None:
    """Lets `receive` have what vLLM puts into a request's collector, and what it has put there already.

    vLLM's handler calls `put` for each request of a step, one after the other: nobody else has to be woken.
    """
    collector.put = _Receiver(receive).put
    early = collector.output
    if early is not None:
        collector.output = None
        collector.put(early)


class _Receiver:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_measured = False

    def put(self, output: Any) -> None:
        """Takes one RequestOutput, or the error that ends them."""
        if isinstance(output, Exception):
            self._receive(
                EngineFailedError() if isinstance(output, EngineDeadError) else RequestFailedError()
            )
            return
        completion = output.outputs[0]
        delta = Delta(completion.text, len(completion.token_ids))
        if completion.finish_reason is not None:
            delta.finish = _FINISHES.get(completion.finish_reason)
            if delta.finish is None:
                self._receive(RequestFailedError())
                return
        # They are known with the first token and stay, but for what a preemption adds.
        if not self._is_measured or delta.finish is not None:
            self._is_measured = True
            delta.measures = _measures(output)
        self._receive(delta)


def _measures(output: Any) -> Measures:
    cached_tokens, stamps = output.num_cached_tokens or 0, output.metrics
    if stamps is None or not stamps.scheduled_ts:
        return Measures(cached_input_tokens=cached_tokens)
    return Measures(
        cached_input_tokens=cached_tokens,
        queue_seconds=stamps.scheduled_ts - stamps.queued_ts,
        prefill_seconds=max(0.0, stamps.first_token_ts - stamps.scheduled_ts),
    )
