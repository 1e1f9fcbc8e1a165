"""EmitterService over a spool."""

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc

from services.emitter import wire
from services.emitter.domain.demands import Demands
from services.emitter.domain.ports import Spool
from services.emitter.domain.pseudonym import Pseudonyms
from services.runtime.clock import Clock
from services.runtime.errors import ComptoirError
from services.runtime.interceptors import Context
from services.runtime.telemetry import counter


class EmitterServicer(emitter_pb2_grpc.EmitterServiceServicer):
    """Answers once the events are durable; refusals leave as ComptoirError."""

    def __init__(self, spool: Spool, pseudonyms: Pseudonyms, demands: Demands, clock: Clock) -> None:
        self._spool = spool
        self._pseudonyms = pseudonyms
        self._demands = demands
        self._clock = clock
        self._accepted = counter("comptoir.spool.accepted", unit="{event}", description="Events taken.")
        self._duplicates = counter(
            "comptoir.spool.duplicates", unit="{event}", description="Events taken before."
        )
        self._refused = counter("comptoir.spool.refused", unit="{request}", description="Calls refused.")

    async def Record(  # noqa: N802 - the name in the schema
        self, request: emitter_pb2.RecordRequest, context: Context
    ) -> emitter_pb2.RecordResponse:
        """Takes the request's events, all or none."""
        del context
        try:
            now = self._clock.wall_microseconds()
            events = wire.events_from(request, self._pseudonyms, self._demands, now_microseconds=now)
            taken = await self._spool.take(events)
        except ComptoirError as refusal:
            self._refused.add(1, {"reason": refusal.reason.name})
            raise
        self._accepted.add(taken.accepted)
        self._duplicates.add(taken.duplicates)
        return emitter_pb2.RecordResponse(accepted=taken.accepted, duplicates=taken.duplicates)
