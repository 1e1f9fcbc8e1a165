"""Calls Comptoir over gRPC, with `grpcio` and `protobuf` alone; `comptoir.client.aio` does so on asyncio."""

from comptoir.client.answers import Answer, Choice
from comptoir.client.blocking import Client
from comptoir.client.channels import mutual_tls
from comptoir.client.chat import Chat, assistant, system, tool, user
from comptoir.client.counting import Countable
from comptoir.client.embedding import Embeddings, Inputs
from comptoir.client.errors import ComptoirError
from comptoir.client.generation import Generation
from comptoir.error.v1.error_reason_pb2 import ErrorReason
from comptoir.generator.v1.generator_pb2 import (
    ChatMessage,
    Delta,
    Embedded,
    Finished,
    FinishReason,
    GetModelInfoResponse,
    ModelFeature,
    ReasoningEffort,
    Sampling,
    Structure,
    TemplateOptions,
    TemplateValue,
    Tool,
    ToolCall,
    Tools,
    ToolUse,
)
from comptoir.router.v1.router_pb2 import Priority

__all__ = [
    "Answer",
    "Chat",
    "ChatMessage",
    "Choice",
    "Client",
    "ComptoirError",
    "Countable",
    "Delta",
    "Embedded",
    "Embeddings",
    "ErrorReason",
    "FinishReason",
    "Finished",
    "Generation",
    "GetModelInfoResponse",
    "Inputs",
    "ModelFeature",
    "Priority",
    "ReasoningEffort",
    "Sampling",
    "Structure",
    "TemplateOptions",
    "TemplateValue",
    "Tool",
    "ToolCall",
    "ToolUse",
    "Tools",
    "assistant",
    "mutual_tls",
    "system",
    "tool",
    "user",
]
