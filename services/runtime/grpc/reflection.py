"""The schema of a server, told to tools that call it without stubs, such as grpcurl."""

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from comptoir.readiness.v1 import readiness_pb2
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.interceptors import Context
from services.runtime.grpc.waiting_calls import WaitingCalls

# They need no key. A tool asks a few questions and goes.
MOST_READERS: Final = 16
READ_SECONDS: Final = 60.0


class ReflectionService(reflection.aio.ReflectionServicer):  # type: ignore[misc] # the library has no types
    """The library's service, bounded in time and in how many read at once."""

    def __init__(self, services: list[str]) -> None:
        super().__init__(services)
        self._readers = WaitingCalls(most_waiting=MOST_READERS)

    async def ServerReflectionInfo(  # noqa: N802 - the name is the schema's
        self, requests: AsyncIterator[Any], context: Context
    ) -> None:
        """Answers questions about the schema; DEADLINE_EXCEEDED for a reader that stays too long."""
        try:
            async with self._readers.place(READ_SECONDS):
                async for response in super().ServerReflectionInfo(requests, context):
                    await context.write(response)
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None


def add_reflection(server: grpc.aio.Server, *files: FileDescriptor) -> None:
    """Tells callers of `server` the services of `files`, and those that every server has."""
    described = (*files, health_pb2.DESCRIPTOR, readiness_pb2.DESCRIPTOR)
    services = [service.full_name for file in described for service in file.services_by_name.values()]
    servicer = ReflectionService([*services, reflection.SERVICE_NAME])
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
