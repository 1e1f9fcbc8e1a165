"""The bodies of responses by types, for the description of the API; as `answer_types.py`."""

from typing import Any, Literal

from msgspec import Struct

from services.edge.domain.openai.answer_types import Tier, TokenLogprob


class OutputText(Struct, frozen=True):
    """The text of a message, or a train of thought, which has no logprobs."""

    type: Literal["output_text", "reasoning_text", "summary_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[TokenLogprob] | None = None


class ResponseOutputItem(Struct, frozen=True):
    """An item of the output: a message, a call of a function or a train of thought, each with its fields."""

    id: str
    type: Literal["message", "function_call", "reasoning"]
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"] | None = None
    content: list[OutputText] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    summary: list[OutputText] | None = None


class IncompleteDetails(Struct, frozen=True):
    """Why an answer is not whole."""

    reason: Literal["max_output_tokens"]


class ResponseFailure(Struct, frozen=True):
    """What went wrong in mid-stream."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class ReasoningConfig(Struct, frozen=True):
    """How much the model was to reason."""

    effort: str | None
    summary: Literal["auto", "concise", "detailed"] | None


class InputTokensDetails(Struct, frozen=True):
    """Which of the input's tokens were in the replica's cache."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Struct, frozen=True):
    """Which of the output's tokens were reasoning."""

    reasoning_tokens: int


class ResponseUsage(Struct, frozen=True):
    """The tokens of a response."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class Response(Struct, frozen=True):
    """An answer; what it repeats of its request is how that was understood, and of its texts nothing."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: Literal[False]
    error: ResponseFailure | None
    incomplete_details: IncompleteDetails | None
    instructions: None
    max_output_tokens: int | None
    max_tool_calls: None
    metadata: dict[str, str]
    model: str
    output: list[ResponseOutputItem]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: ReasoningConfig
    store: Literal[False]
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float | None
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    service_tier: Tier | None = None


class ResponseEvent(Struct, frozen=True):
    """One event of a streamed response; its kind says which of the other fields it has."""

    type: str
    sequence_number: int
    response: Response | None = None
    output_index: int | None = None
    item: ResponseOutputItem | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None
    part: OutputText | None = None
    delta: str | None = None
    text: str | None = None
    logprobs: list[TokenLogprob] | None = None
    name: str | None = None
    arguments: str | None = None
