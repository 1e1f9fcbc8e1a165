"""What the router is told of this replica and of its tickets."""

from typing import Final

from comptoir.router.v1 import replica_pb2

from services.contract.first_tokens import FirstTokens
from services.generator.domain.features import told_features
from services.generator.domain.load import LoadReport
from services.generator.domain.ports import Capabilities
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.generator.wire.durations import milliseconds
from services.kernel.identity import Identity

_MAX_UINT32: Final = 2**32 - 1
_ENGINES: Final = {
    "vllm": replica_pb2.ENGINE_VLLM,
    "simulated": replica_pb2.ENGINE_SIMULATED,
    "sglang": replica_pb2.ENGINE_SGLANG,
    "tensorrt_llm": replica_pb2.ENGINE_TENSORRT_LLM,
    "llama_cpp": replica_pb2.ENGINE_LLAMA_CPP,
}


def registration_from(
    replica: Replica,
    address: str,
    capabilities: Capabilities,
    max_requests: int,
    *,
    incarnation: int,
    routers: int,
) -> replica_pb2.Registration:
    """Returns what a replica tells the router of itself."""
    return replica_pb2.Registration(
        replica=replica.number,
        region=replica.region,
        model=replica.model,
        address=address,
        context_tokens=capabilities.context_tokens,
        kv_block_tokens=capabilities.kv_block_tokens,
        kv_blocks=capabilities.kv_blocks,
        max_requests=max_requests,
        incarnation=incarnation,
        engine=_ENGINES.get(capabilities.engine_name, replica_pb2.ENGINE_UNSPECIFIED),
        gpu_class=replica.gpu_class,
        accelerator_memory_bytes=capabilities.accelerator_memory_bytes,
        routers=routers,
        features=told_features(capabilities, replica.bounded_efforts),
        tenant=replica.tenant,
    )


def acceptance_from(claims: Claims) -> replica_pb2.Acceptance:
    """Returns what the router is told of a ticket that was accepted."""
    return replica_pb2.Acceptance(
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        key=claims.key,
        tenant=claims.tenant,
        max_tokens=min(claims.max_input_tokens + claims.choices * claims.max_output_tokens, _MAX_UINT32),
    )


def settlement_from(claims: Claims, used: Counts, *, is_unserved: bool) -> replica_pb2.Settlement:
    """Returns what the router is told when an accepted ticket's request has ended."""
    return replica_pb2.Settlement(
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        key=claims.key,
        is_unserved=is_unserved,
        tenant=claims.tenant,
        cached_input_tokens=used.cached_input_tokens,
    )


def handed_back_from(lease_id: Identity) -> replica_pb2.Settlement:
    """Returns what the router is told of a lease of which no ticket was accepted, nor will be."""
    return replica_pb2.Settlement(lease_id_high=lease_id.high, lease_id_low=lease_id.low, is_unserved=True)


def router_load_from(report: LoadReport) -> replica_pb2.Load:
    """Returns what the router is told of the load."""
    return replica_pb2.Load(
        running_requests=report.running_requests,
        waiting_requests=report.waiting_requests,
        kv_usage_permille=report.kv_usage_permille,
        age_milliseconds=milliseconds(report.age_seconds),
        is_draining=report.is_draining,
        open_requests=report.open_streams,
        unfinished_requests=report.unfinished_requests,
        kv_free_blocks=report.kv_free_blocks,
        waiting_input_tokens=report.waiting_input_tokens,
        input_tokens_per_second=report.input_tokens_per_second,
        output_tokens_per_second=report.output_tokens_per_second,
        first_tokens=_first_tokens(report.first_tokens) if report.first_tokens else None,
        kv_growth_blocks=report.kv_growth_blocks,
    )


def _first_tokens(counted: FirstTokens) -> replica_pb2.FirstTokens:
    return replica_pb2.FirstTokens(
        interactive=counted.interactive, default=counted.default, batch=counted.batch
    )
