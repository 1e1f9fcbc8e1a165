"""OpenAI's completion request as JSON becomes a CompletionRequest, or a refusal that names one parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.edge.domain.generation import GenerationRequest, Prompt, SamplingValue
from services.edge.domain.openai.chat.request import MAX_OUTPUT_TOKENS, includes_usage, sampling_of
from services.edge.domain.openai.completions.body import MAX_PROMPTS, CompletionBody
from services.edge.domain.openai.completions.parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.parameters import (
    MAX_CHOICES,
    MAX_LOGPROBS,
    NEUTRAL_IN_STREAM_OPTIONS,
    refuse_unsupported,
)
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.structured import form_of
from services.edge.domain.timeline import Endpoint
from services.kernel.steps import Steps, finished

# OpenAI's, of this endpoint alone.
DEFAULT_MAX_TOKENS: Final = 16


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a completion asks replicas for, a generation for each prompt, and how its answer is written."""

    generations: tuple[GenerationRequest, ...]
    includes_usage: bool = False
    service_tier: str | None = None


def parse_completion(value: object) -> CompletionRequest:
    """Returns what `completion_steps` does, at once."""
    return finished(completion_steps(value))


def completion_steps(value: object) -> Steps[CompletionRequest]:
    """Returns the completion that `value`, any decoded JSON, asks for.

    Raises ComptoirError with REQUEST_INVALID or PARAMETER_UNSUPPORTED and a public name.
    """
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, COMPLETION_NEUTRAL)
    body = converted(value, CompletionBody)
    yield
    refuse_unsupported(value.get("stream_options") or {}, NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
    form = form_of(value, body)
    max_output_tokens, sampling = _max_output_tokens(body.max_tokens), _sampling_of(body)
    prompts = _prompts(body.prompt)
    generations = tuple(
        GenerationRequest(
            model=body.model or "",
            messages=(),
            max_output_tokens=max_output_tokens,
            sampling=sampling,
            is_streamed=bool(body.stream),
            form=form,
            prompt=prompt,
            endpoint=Endpoint.COMPLETIONS,
            is_prompt_echoed=bool(body.echo),
            part=number if len(prompts) > 1 else 0,
        )
        for number, prompt in enumerate(prompts, 1)
    )
    choices = len(generations) * (body.n or 1)
    if choices > MAX_CHOICES:
        invalid("prompt")
    if body.logprobs is not None and choices * (1 + body.logprobs) > MAX_LOGPROBS:
        invalid("logprobs")
    return CompletionRequest(generations, includes_usage(body.stream, body.stream_options), body.service_tier)


def _prompts(prompt: str | list[str | int | list[int]] | None) -> tuple[Prompt, ...]:
    """Returns the prompts of any of OpenAI's four forms."""
    if prompt is None:
        invalid("prompt")
    if isinstance(prompt, str):
        return (prompt,)
    token_ids = [each for each in prompt if isinstance(each, int)]
    if prompt and len(token_ids) == len(prompt):
        return (tuple(token_ids),)
    if not 1 <= len(prompt) <= MAX_PROMPTS or len({type(each) for each in prompt}) > 1:
        invalid("prompt")
    return tuple(_prompt(each) for each in prompt)


def _prompt(each: str | int | Sequence[int]) -> Prompt:
    if isinstance(each, str):
        return each
    # Numbers among lists were refused.
    return tuple(each) if not isinstance(each, int) and each else invalid("prompt")


def _max_output_tokens(max_tokens: int | None) -> int:
    """Returns the most tokens of an answer, 0 for as many as fit."""
    if max_tokens == 0:
        # To OpenAI it is no answer at all, and here it would be one.
        invalid("max_tokens")
    limit = DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens
    return min(limit, MAX_OUTPUT_TOKENS) if limit > 0 else 0


def _sampling_of(body: CompletionBody) -> dict[str, SamplingValue]:
    sampling = sampling_of(body)
    if body.best_of not in (None, 1, body.n):
        unsupported("best_of")
    if body.logprobs is None:
        return sampling
    if body.echo:
        # It would ask for the probabilities of the prompt's tokens too.
        unsupported("echo")
    return sampling | {"logprobs": body.logprobs}
