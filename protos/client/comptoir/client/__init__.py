"""Calls Comptoir over gRPC, with `grpcio` and `protobuf` alone; `comptoir.client.aio` does so on asyncio."""

from comptoir.client.blocking import Client, Generation
from comptoir.client.channels import mutual_tls
from comptoir.client.chat import Chat, assistant, system, user
from comptoir.client.counting import Countable
from comptoir.client.errors import ComptoirError
from comptoir.client.state import Answer
from comptoir.error.v1.error_reason_pb2 import ErrorReason
from comptoir.generator.v1.generator_pb2 import ChatMessage, Delta, Finished, FinishReason, Sampling
from comptoir.router.v1.router_pb2 import Priority

__all__ = [
    "Answer",
    "Chat",
    "ChatMessage",
    "Client",
    "ComptoirError",
    "Countable",
    "Delta",
    "ErrorReason",
    "FinishReason",
    "Finished",
    "Generation",
    "Priority",
    "Sampling",
    "assistant",
    "mutual_tls",
    "system",
    "user",
]
