"""Readiness over gRPC: the servicer that every server has."""

from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc

from services.kernel.clock import Clock
from services.kernel.readiness import STARTING, Readiness
from services.runtime.grpc.interceptors import Context


class ReadinessServicer(readiness_pb2_grpc.ReadinessServiceServicer):
    """Answers with the state that it was told last, and since when it is so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._state = STARTING
        self.was_ready = False
        self._since_microseconds = clock.wall_microseconds()

    def tell(self, state: Readiness) -> None:
        """Takes the present state; the same with other numbers is no new one."""
        if not state.is_same_state(self._state):
            self._since_microseconds = self._clock.wall_microseconds()
        self._state = state
        self.was_ready = self.was_ready or state.is_ready

    def why_unready(self) -> str:
        """Returns the name of the reason for which the process is not ready, empty where it is."""
        return "" if self._state.is_ready else self._state.reason.name

    async def GetReadiness(  # noqa: N802 - the name is the schema's
        self,
        request: readiness_pb2.GetReadinessRequest,  # noqa: ARG002 - it asks for the present
        context: Context,  # noqa: ARG002 - nothing of the caller matters
    ) -> readiness_pb2.GetReadinessResponse:
        """Says whether the process is ready now, and why not."""
        return readiness_pb2.GetReadinessResponse(
            is_ready=self._state.is_ready,
            reason=int(self._state.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
            since_microseconds=self._since_microseconds,
            figures=[
                readiness_pb2.Figure(name=int(name), value=value)  # type: ignore[arg-type] # as above
                for name, value in self._state.figures.items()
            ],
        )
