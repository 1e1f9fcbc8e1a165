"""What is recorded, as it is stored."""

from typing import Final

from comptoir.error.v1 import error_reason_pb2
from comptoir.usage.v1 import usage_pb2

from services.contract.events import EVENT_SCHEMA_VERSION
from services.generator.domain.load import LoadSample
from services.generator.domain.terminal_event import Outcome, TerminalEvent
from services.generator.domain.ticket import Replica
from services.generator.wire.durations import milliseconds
from services.kernel.errors import Reason

_OUTCOMES: Final = {outcome: usage_pb2.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
_REASONS: Final = {
    reason: error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.name}") for reason in Reason
}


def generation_from(event: TerminalEvent, *, config_digest: int) -> usage_pb2.Generation:
    """Returns the stored form of a terminal event; the emitter replaces tenant and key by pseudonyms."""
    claims, counts, timings = event.claims, event.counts, event.timings
    return usage_pb2.Generation(
        event_id_high=event.event_id.high,
        event_id_low=event.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=claims.request_id.high,
        request_id_low=claims.request_id.low,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        config_digest=config_digest,
        tenant_low=claims.tenant,
        key_low=claims.key,
        started_at_microseconds=event.started_at_microseconds,
        outcome=_OUTCOMES[event.ending.outcome],
        reason=_REASONS[event.ending.reason],
        model=claims.model,
        replica=claims.replica,
        priority=claims.priority,
        ticket_digest=claims.digest,
        attempt=claims.attempt,
        is_streamed=event.is_streamed,
        input_tokens=counts.input_tokens,
        cached_input_tokens=counts.cached_input_tokens,
        output_tokens=counts.output_tokens,
        longest_choice_tokens=counts.longest_choice_tokens,
        predicted_kv_blocks=claims.predicted_kv_blocks,
        actual_kv_blocks=event.actual_kv_blocks,
        queue_microseconds=timings.queue_microseconds,
        prefill_microseconds=timings.prefill_microseconds,
        ttft_microseconds=timings.ttft_microseconds,
        max_itl_microseconds=timings.max_itl_microseconds,
        duration_microseconds=timings.duration_microseconds,
    )


def replica_load_from(
    sample: LoadSample, replica: Replica, *, config_digest: int, accelerator_free_bytes: int = 0
) -> usage_pb2.ReplicaLoad:
    """Returns the stored form of a load sample; 0 bytes stand for no accelerator that tells."""
    report = sample.report
    return usage_pb2.ReplicaLoad(
        event_id_high=sample.event_id.high,
        event_id_low=sample.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        region=replica.region,
        config_digest=config_digest,
        started_at_microseconds=sample.started_at_microseconds,
        model=replica.model,
        replica=replica.number,
        running_requests=report.running_requests or 0,
        waiting_requests=report.waiting_requests or 0,
        kv_usage_permille=report.kv_usage_permille or 0,
        output_tokens=sample.since_last.output_tokens,
        preempted_requests=sample.since_last.preempted_requests,
        open_streams=report.open_streams,
        unfinished_requests=report.unfinished_requests,
        age_milliseconds=milliseconds(report.age_seconds),
        accelerator_free_bytes=accelerator_free_bytes,
        gpu_class=replica.gpu_class,
        gpus=replica.gpus,
    )
