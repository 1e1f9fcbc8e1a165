"""A program that has vLLM's own scheduler live traces, without a model, and prints each of its steps.

It reads a line of JSON with all traces, and prints one for each: for every step the tokens of each request,
the blocks that are free, and who was preempted so far; and the cached tokens of each request.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from vllm.config import CacheConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

from tests.services.generator.adapters.simulated.arrivals import Arrival, Trace, token_of

_TINY = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
_MOST_STEPS = 5_000


def main() -> None:
    init_none_hash(sha256)
    for told in json.loads(sys.stdin.readline()):
        arrivals = [Arrival(**arrival) for arrival in told.pop("arrivals")]
        sys.stdout.write(f"{json.dumps(lived(Trace(**told, arrivals=arrivals)))}\n")


def scheduler_of(trace: Trace) -> Scheduler:
    model = ModelConfig(model=str(_TINY), dtype="float32", max_model_len=trace.context_tokens, seed=0)
    limits = SchedulerConfig(
        max_num_seqs=trace.running_requests,
        max_num_batched_tokens=trace.batched_tokens,
        max_model_len=trace.context_tokens,
        enable_chunked_prefill=trace.is_prefill_chunked,
        policy="priority",
        async_scheduling=False,
        is_encoder_decoder=False,
    )
    cache = CacheConfig(block_size=trace.block_tokens, enable_prefix_caching=True)
    # One block is vLLM's own, and holds nothing.
    cache.num_gpu_blocks = trace.kv_blocks + 1
    config = VllmConfig(model_config=model, scheduler_config=limits, cache_config=cache)
    spec = FullAttentionSpec(block_size=trace.block_tokens, num_kv_heads=1, head_size=1, dtype=torch.float32)
    blocks = KVCacheConfig(trace.kv_blocks + 1, [], [KVCacheGroupSpec(["layer"], spec)])
    return Scheduler(
        vllm_config=config,
        kv_cache_config=blocks,
        structured_output_manager=StructuredOutputManager(config),
        block_size=trace.block_tokens,
        log_stats=True,
    )


def request_of(arrival: Arrival, block_tokens: int) -> Request:
    return Request(
        request_id=str(arrival.number),
        prompt_token_ids=list(arrival.ids),
        sampling_params=SamplingParams(max_tokens=arrival.output_tokens, ignore_eos=True),
        pooling_params=None,
        arrival_time=float(arrival.number),
        cache_salt=arrival.salt,
        priority=arrival.priority,
        block_hasher=get_request_block_hasher(block_tokens, sha256),
    )


def lived(trace: Trace) -> dict[str, Any]:
    scheduler = scheduler_of(trace)
    requests: dict[str, Request] = {}
    cached: dict[str, int] = {}
    steps: list[dict[str, Any]] = []
    for number in range(_MOST_STEPS):
        for arrival in trace.arrivals:
            if arrival.step == number:
                requests[str(arrival.number)] = request_of(arrival, trace.block_tokens)
                scheduler.add_request(requests[str(arrival.number)])
            if arrival.abort_step == number:
                scheduler.finish_requests(str(arrival.number), RequestStatus.FINISHED_ABORTED)
        is_over = number > max(arrival.step for arrival in trace.arrivals)
        if is_over and not scheduler.get_num_unfinished_requests():
            return {"steps": steps, "cached": cached}
        planned = scheduler.schedule()
        for new in planned.scheduled_new_reqs:
            cached[new.req_id] = new.num_computed_tokens
        steps.append(
            {
                "tokens": planned.num_scheduled_tokens,
                "free": scheduler.kv_cache_manager.block_pool.get_num_free_blocks(),
                "preempted": sum(request.num_preemptions for request in requests.values()),
            }
        )
        order = list(planned.num_scheduled_tokens)
        sampled = [_sampled(requests[name]) for name in order]
        made = ModelRunnerOutput(order, {name: index for index, name in enumerate(order)}, sampled)
        scheduler.update_from_output(planned, made)
    raise SystemExit("the trace does not end")


def _sampled(request: Request) -> list[int]:
    if request.num_computed_tokens < request.num_tokens:
        return []
    return [token_of(int(request.request_id), request.num_tokens)]


if __name__ == "__main__":
    main()
