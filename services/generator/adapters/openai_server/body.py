"""The body of a request for one choice, in a server's own spelling."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from services.generator.adapters.openai_server.kinds import Kind
from services.generator.domain.ports import EngineRequest
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError, Reason

# Told beside the rest, or by asking once for each choice.
_BESIDE: Final = frozenset({"max_output_tokens", "n", "logprobs", "thinking_token_budget"})
_NEUTRAL: Final = Sampling()
PARAMETERS: Final = tuple(one.name for one in fields(Sampling) if one.name not in _BESIDE)


def check_parameters(sampling: Sampling, kind: Kind) -> None:
    """Raises PARAMETER_UNSUPPORTED for one that the server has not and that would change the answer."""
    for name in PARAMETERS:
        if name not in kind.parameters and getattr(sampling, name) != getattr(_NEUTRAL, name):
            raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=f"sampling.{name}")


def body_of(
    request: EngineRequest, ids: Sequence[int], index: int, kind: Kind, *, served_model: str
) -> dict[str, Any]:
    """Returns the body for the choice with that index; every parameter is told, whatever the default is."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": served_model,
        "prompt": ids if isinstance(ids, list) else list(ids),
        "max_tokens": request.max_output_tokens,
        "stream": True,
        **kind.always,
    }
    for name, spelling in kind.parameters.items():
        value = _value(sampling, name, index, kind)
        form = kind.forms.get(name)
        body[spelling] = value if form is None or value is None else form(value)
    if kind.keeps_stops and (sampling.stop or sampling.stop_token_ids):
        body[kind.keeps_stops] = True
    if sampling.logprobs is not None:
        body |= {"logprobs": sampling.logprobs, "return_tokens_as_token_ids": True}
    if request.returns_token_ids or sampling.logprobs is not None:
        body["return_token_ids"] = True
    if request.structure is not None:
        body |= kind.held_to(request.structure.lark)
    if request.cache_salt is not None:
        body["cache_salt"] = request.cache_salt
    if request.priority is not None:
        body["priority"] = request.priority
    return {name: value for name, value in body.items() if value is not None}


def _value(sampling: Sampling, name: str, index: int, kind: Kind) -> Any:
    value = getattr(sampling, name)
    if name == "seed":
        return None if value is None else (value + index) % kind.most_seeds
    if name == "logit_bias":
        return dict(value) or None
    return list(value) if isinstance(value, tuple) else value
