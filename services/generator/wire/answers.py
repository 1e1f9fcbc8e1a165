"""What a caller is told: pieces of an answer, its end, and the load."""

from typing import Final

from comptoir.generator.v1 import generator_pb2

from services.generator.domain.delta import Delta, TokenLogprob, ToolCallPart
from services.generator.domain.generation import Finished, Message, Started
from services.generator.domain.load import LoadReport
from services.generator.domain.terminal_event import Outcome
from services.generator.wire.durations import milliseconds

# OpenAI's number for a probability of 0, whose logarithm JSON cannot say.
_NO_CHANCE: Final = -9999.0
_MAX_UINT32: Final = 2**32 - 1

_FINISH_REASONS: Final = {
    Outcome.STOP: generator_pb2.FINISH_REASON_STOP,
    Outcome.LENGTH: generator_pb2.FINISH_REASON_LENGTH,
    Outcome.TOOL_CALLS: generator_pb2.FINISH_REASON_TOOL_CALLS,
}


def response_from(message: Message) -> generator_pb2.GenerateResponse:
    """Returns one message of the stream."""
    if isinstance(message, Delta):
        return generator_pb2.GenerateResponse(delta=delta_from(message))
    if isinstance(message, Started):
        return generator_pb2.GenerateResponse(started=started_from(message))
    return generator_pb2.GenerateResponse(finished=finished_from(message))


def delta_from(delta: Delta) -> generator_pb2.Delta:
    """Returns what is new of a choice."""
    return generator_pb2.Delta(
        text=delta.text,
        output_tokens=delta.output_tokens,
        index=delta.index,
        tokens=[
            generator_pb2.TokenChoice(
                chosen=_logprob_from(token.chosen), likeliest=map(_logprob_from, token.likeliest)
            )
            for token in delta.tokens
        ],
        tool_call=None if delta.tool_call is None else _tool_call_from(delta.tool_call),
    )


def _tool_call_from(part: ToolCallPart) -> generator_pb2.ToolCallDelta:
    return generator_pb2.ToolCallDelta(
        index=part.index, call_id=part.call_id, name=part.name, arguments=part.arguments
    )


def _logprob_from(token: TokenLogprob) -> generator_pb2.TokenLogprob:
    logprob = max(_NO_CHANCE, token.logprob)
    return generator_pb2.TokenLogprob(token=token.token, token_id=token.token_id, logprob=logprob)


def started_from(message: Started) -> generator_pb2.Started:
    """Returns what is said when a ticket was accepted."""
    return generator_pb2.Started(
        request_id_high=message.request_id.high,
        request_id_low=message.request_id.low,
        input_tokens=message.input_tokens,
    )


def finished_from(message: Finished) -> generator_pb2.Finished:
    """Returns what is said at the end of a whole answer."""
    counts, timings = message.counts, message.timings
    reasons = [_FINISH_REASONS[outcome] for outcome in message.outcomes]
    return generator_pb2.Finished(
        finish_reason=reasons[0],
        finish_reasons=reasons if len(reasons) > 1 else (),
        input_tokens=counts.input_tokens,
        cached_input_tokens=counts.cached_input_tokens,
        output_tokens=counts.output_tokens,
        queue_microseconds=timings.queue_microseconds,
        ttft_microseconds=timings.ttft_microseconds,
        duration_microseconds=timings.duration_microseconds,
    )


def load_response_from(report: LoadReport) -> generator_pb2.GetLoadResponse:
    """Returns the load as `GetLoad` tells it."""
    return generator_pb2.GetLoadResponse(
        open_streams=report.open_streams,
        unfinished_requests=report.unfinished_requests,
        running_requests=report.running_requests,
        waiting_requests=report.waiting_requests,
        kv_usage_permille=report.kv_usage_permille,
        age_milliseconds=milliseconds(report.age_seconds),
        is_draining=report.is_draining,
    )
