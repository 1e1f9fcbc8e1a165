"""An answer whose grammar reached the bound of its work is cut, and says so: it did not come to its end.

llguidance bounds what it does for a step. Beyond the bound it permits the token of the end alone, and vLLM
takes an answer that ends so for one that the model ended: JSON that breaks off, as if it were whole.
"""

from typing import Any

from vllm.v1.request import RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

_accept = StructuredOutputManager.accept_tokens


def tell_cut_answers() -> None:
    """Lets the engine's process, a copy of this one, end such an answer as one of the most tokens.

    Call it before vLLM starts its engine.
    """
    StructuredOutputManager.accept_tokens = _accept_tokens


def _accept_tokens(manager: Any, request: Any, token_ids: list[int]) -> bool:  # vLLM's, without types
    """Returns what vLLM does, but True for a grammar that gave up: its next token is that of the end."""
    is_accepted: bool = _accept(manager, request, token_ids)
    structured = request.structured_output_request
    matcher = getattr(structured.grammar, "ll_matcher", None) if structured is not None else None
    if matcher is None or not matcher.is_error():
        return is_accepted
    if request.status is RequestStatus.FINISHED_STOPPED:
        request.status = RequestStatus.FINISHED_LENGTH_CAPPED
    return True
