"""What a caller is told: pieces of an answer, its end, and the load."""

from collections.abc import Sequence
from typing import Final

from comptoir.generator.v1 import generator_pb2

from services.generator.domain.delta import Delta, TokenChoice, TokenLogprob, ToolCallPart
from services.generator.domain.embedding import EmbedMessage, Vectors
from services.generator.domain.generation import Finished, Message, Started
from services.generator.domain.load import LoadReport
from services.generator.domain.model_description import ModelDescription
from services.generator.domain.ports import Feature
from services.generator.domain.terminal_event import Outcome
from services.generator.domain.whole_answer import WholeAnswer, WholeChoice
from services.generator.wire.durations import milliseconds
from services.kernel.steps import Steps

# OpenAI's number for a probability of 0, whose logarithm JSON cannot say.
_NO_CHANCE: Final = -9999.0
_MAX_UINT32: Final = 2**32 - 1
# About a millisecond, for the caller as well.
_IDS_PER_STEP: Final = 32 * 1024

_FINISH_REASONS: Final = {
    Outcome.STOP: generator_pb2.FINISH_REASON_STOP,
    Outcome.LENGTH: generator_pb2.FINISH_REASON_LENGTH,
    Outcome.TOOL_CALLS: generator_pb2.FINISH_REASON_TOOL_CALLS,
}
_FEATURES: Final = {
    Feature.TOKEN_IDS: generator_pb2.MODEL_FEATURE_TOKEN_COUNTS,
    Feature.OUTPUT_TOKEN_IDS: generator_pb2.MODEL_FEATURE_TOKEN_IDS,
    Feature.LOGPROBS: generator_pb2.MODEL_FEATURE_LOGPROBS,
    Feature.STRUCTURE: generator_pb2.MODEL_FEATURE_STRUCTURE,
    Feature.PRIORITY: generator_pb2.MODEL_FEATURE_PRIORITY,
    Feature.PREFIX_SALT: generator_pb2.MODEL_FEATURE_TENANT_PREFIXES,
    Feature.EMBEDDING: generator_pb2.MODEL_FEATURE_EMBEDDING,
}


def response_from(message: Message) -> generator_pb2.GenerateResponse:
    """Returns one message of the stream."""
    if isinstance(message, Delta):
        return generator_pb2.GenerateResponse(delta=delta_from(message))
    if isinstance(message, Started):
        return generator_pb2.GenerateResponse(started=started_from(message))
    return generator_pb2.GenerateResponse(finished=finished_from(message))


def counted_steps(tokens: int, context_tokens: int, ids: Sequence[int]) -> Steps[bytes]:
    """Returns, in steps, how many tokens a prompt has, and which, as a serialized CountTokensResponse.

    Messages one behind the other are one, whose lists are theirs together.
    """
    counted = generator_pb2.CountTokensResponse(input_tokens=tokens, context_tokens=context_tokens)
    pieces = [counted.SerializeToString()]
    for start in range(0, len(ids), _IDS_PER_STEP):
        some = generator_pb2.CountTokensResponse(token_ids=ids[start : start + _IDS_PER_STEP])
        pieces.append(some.SerializeToString())
        yield
    return b"".join(pieces)


def embed_response_from(message: EmbedMessage) -> generator_pb2.EmbedResponse:
    """Returns one message of an answer of vectors."""
    if isinstance(message, Vectors):
        vectors = generator_pb2.Vectors(dimensions=message.size, values=message.values)
        return generator_pb2.EmbedResponse(vectors=vectors)
    if isinstance(message, Started):
        return generator_pb2.EmbedResponse(started=started_from(message))
    embedded = generator_pb2.Embedded(
        input_tokens=message.counts.input_tokens,
        duration_microseconds=message.timings.duration_microseconds,
    )
    return generator_pb2.EmbedResponse(embedded=embedded)


def delta_from(delta: Delta) -> generator_pb2.Delta:
    """Returns what is new of a choice."""
    return generator_pb2.Delta(
        text=delta.text,
        output_tokens=delta.output_tokens,
        index=delta.index,
        tokens=map(_token_from, delta.tokens),
        reasoning=delta.reasoning,
        tool_call=None if delta.tool_call is None else _tool_call_from(delta.tool_call),
        token_ids=delta.token_ids,
    )


def _tool_call_from(part: ToolCallPart) -> generator_pb2.ToolCallDelta:
    return generator_pb2.ToolCallDelta(
        index=part.index, call_id=part.call_id, name=part.name, arguments=part.arguments
    )


def _token_from(token: TokenChoice) -> generator_pb2.TokenChoice:
    return generator_pb2.TokenChoice(
        chosen=_logprob_from(token.chosen), likeliest=map(_logprob_from, token.likeliest)
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
        reasoning_tokens=counts.reasoning_tokens,
        queue_microseconds=timings.queue_microseconds,
        ttft_microseconds=timings.ttft_microseconds,
        duration_microseconds=timings.duration_microseconds,
    )


def whole_from(answer: WholeAnswer) -> generator_pb2.GenerateWholeResponse:
    """Returns an answer that ended well as one message."""
    started, finished = answer.started, answer.finished
    outcomes = () if finished is None else finished.outcomes
    return generator_pb2.GenerateWholeResponse(
        started=None if started is None else started_from(started),
        choices=map(_choice_from, answer.choices, outcomes),
        finished=None if finished is None else finished_from(finished),
    )


def _choice_from(choice: WholeChoice, outcome: Outcome) -> generator_pb2.Choice:
    return generator_pb2.Choice(
        text=choice.text,
        tool_calls=[
            generator_pb2.ToolCall(call_id=call.call_id, name=call.name, arguments=call.arguments)
            for _, call in sorted(choice.calls.items())
        ],
        tokens=map(_token_from, choice.tokens),
        token_ids=choice.token_ids,
        finish_reason=_FINISH_REASONS[outcome],
        reasoning=choice.reasoning,
    )


def model_response_from(model: ModelDescription) -> generator_pb2.GetModelInfoResponse:
    """Returns what a replica serves."""
    capabilities = model.capabilities
    features = [told for feature, told in _FEATURES.items() if feature in capabilities.features]
    if model.tool_format and Feature.STRUCTURE in capabilities.features:
        features.append(generator_pb2.MODEL_FEATURE_TOOLS)
    return generator_pb2.GetModelInfoResponse(
        model=model.name,
        context_tokens=capabilities.context_tokens,
        max_output_tokens=model.max_output_tokens,
        vocabulary_tokens=capabilities.vocabulary_tokens,
        tool_format=model.tool_format,
        reasoning_format=model.reasoning_format,
        features=sorted(features),
        engine_name=capabilities.engine_name,
        engine_version=capabilities.engine_version,
        dtype=capabilities.dtype,
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
