"""An admin service that notes what it is asked, and answers with what it was given."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError
from services.runtime.grpc.status import STATUS, trailing_metadata


class AdminService:
    """Answers every RPC from `answers`, a message or a function of the request, or refuses."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.refusal: ComptoirError | None = None
        for method in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods:
            setattr(self, method.name, self._method(method.name, method.output_type.name))

    def _method(self, name: str, answer_name: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            self.asked.append(request)
            if self.refusal is not None:
                context.set_trailing_metadata(trailing_metadata(self.refusal))
                context.abort(STATUS[self.refusal.reason], "no")
            given = self.answers.get(name, getattr(admin_pb2, answer_name)())
            return given(request) if callable(given) else given

        return answer


@contextmanager
def admin_service(paths: DataPaths) -> Iterator[AdminService]:
    """Serves at the admin socket of a stack's folder until the block ends."""
    service = AdminService()
    server = grpc.server(ThreadPoolExecutor(2))
    admin_pb2_grpc.add_AdminServiceServicer_to_server(service, server)  # type: ignore[arg-type] # by its methods
    server.add_insecure_port(f"unix:{paths.admin_socket}")
    server.start()
    yield service
    server.stop(0).wait()
