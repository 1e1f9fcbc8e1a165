"""The bodies of answers by types, for the description of the API; tests hold what is sent against them.

What writes an answer writes its JSON by hand, since that runs once per token.
"""

from typing import Literal

from msgspec import Struct

Tier = Literal["default", "flex", "priority"]


class PublicErrorBody(Struct, frozen=True):
    """What went wrong; `code` is the word that programs branch on."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(Struct, frozen=True):
    """An error; nothing of the request is in it but the name of a parameter."""

    error: PublicErrorBody


class TopLogprob(Struct, frozen=True):
    """A likely token in the place of another."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(Struct, frozen=True):
    """A token that came, with the logarithm of its probability; `bytes` are its own."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class Logprobs(Struct, frozen=True):
    """The tokens of a choice, where they were asked for."""

    content: list[TokenLogprob]
    refusal: None


class CalledFunction(Struct, frozen=True):
    """What was called; its arguments are JSON that fits the function's schema."""

    name: str
    arguments: str


class CalledTool(Struct, frozen=True):
    """A call of a tool."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class AnswerMessage(Struct, frozen=True):
    """The message of a choice; one that says nothing beside calls of tools or reasoning has no content."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[CalledTool] | None = None
    function_call: CalledFunction | None = None
    reasoning_content: str | None = None


class AnswerChoice(Struct, frozen=True):
    """One of the answers that were asked for."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "function_call"]


class PromptTokensDetails(Struct, frozen=True):
    """Which of the prompt's tokens were in the replica's cache."""

    cached_tokens: int


class CompletionTokensDetails(Struct, frozen=True):
    """Which of the answer's tokens were reasoning."""

    reasoning_tokens: int


class Usage(Struct, frozen=True):
    """The tokens of a request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class ChatCompletion(Struct, frozen=True):
    """A whole answer to a chat."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: Usage
    service_tier: Tier | None = None


class ChunkFunction(Struct, frozen=True):
    """More of a call's arguments; its name comes first, and once."""

    arguments: str
    name: str | None = None


class ChunkTool(Struct, frozen=True):
    """A piece of a call; its id comes first, and once."""

    index: int
    function: ChunkFunction
    id: str | None = None
    type: Literal["function"] | None = None


class ChunkDelta(Struct, frozen=True):
    """What is new of a choice: who speaks first, then reasoning, text or calls, then only why it ended."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ChunkTool] | None = None
    function_call: ChunkFunction | None = None
    reasoning_content: str | None = None


class ChunkChoice(Struct, frozen=True):
    """A choice in a chunk."""

    index: int
    delta: ChunkDelta
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "function_call"] | None


class ChatCompletionChunk(Struct, frozen=True):
    """One event of a streamed answer; `data: [DONE]` follows the last."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    service_tier: Tier | None = None


class TextLogprobs(Struct, frozen=True):
    """The tokens of a completion's choice, where they were asked for: lists side by side."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(Struct, frozen=True):
    """One of a completion's answers; in a stream what is new of it, and null until it ends."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class TextCompletion(Struct, frozen=True):
    """A completion, or one event of a streamed one; that has its counts last, if they were asked for."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class Embedding(Struct, frozen=True):
    """The vector of an input: numbers, or their 32 bits each, least significant byte first, as base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct, frozen=True):
    """The tokens of all inputs."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct, frozen=True):
    """The vectors of a request, in the order of its inputs."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Tokenized(Struct, frozen=True):
    """The tokens of a prompt, as vLLM's server says them."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: None


class InputTokens(Struct, frozen=True):
    """How many tokens an input has."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class ModelAnswer(Struct, frozen=True):
    """A name by which the key may ask for a model; `root` is the model's own."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str
    parent: None
    max_model_len: int
    context_window: int
    context_length: int
    max_output_tokens: int
    max_completion_tokens: int
    shutdown_date: str | None
    task: Literal["generate", "embed"]


class ModelListAnswer(Struct, frozen=True):
    """All models that the key may use."""

    object: Literal["list"]
    data: list[ModelAnswer]


class HealthAnswer(Struct, frozen=True):
    """Whether the process lives, or takes requests."""

    status: Literal["alive", "ready", "not ready"]
    reason: str | None = None
