"""Terminal events and load samples on their way to the emitter."""

from collections.abc import Callable
from typing import Final

from services.generator.domain.load import LoadSample
from services.generator.domain.ports import EventRefusedError
from services.generator.domain.terminal_event import TerminalEvent
from services.generator.domain.ticket import Replica
from services.generator.wire import events
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcTarget
from services.runtime.emitter_client import EmitterClient
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# The emitter found the event itself wrong; a repetition would not make it right.
_FINAL: Final = frozenset({Reason.REQUEST_INVALID, Reason.REQUEST_TOO_LARGE})


class UsageEmitter:
    """The UsageSink over one connection to the emitter."""

    def __init__(
        self,
        target: GrpcTarget,
        replica: Replica,
        clock: Clock,
        *,
        wait_seconds: float,
        config_digest: int,
        read_free_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self._read_free_bytes = read_free_bytes
        self._client = EmitterClient(target, clock=clock, wait_seconds=wait_seconds)
        self._replica = replica
        self._config_digest = config_digest

    async def record(self, event: TerminalEvent) -> None:
        """Returns once the event is durable; raises ComptoirError or EventRefusedError."""
        message = events.generation_from(event, config_digest=self._config_digest)
        try:
            await self._client.record(message)
        except ComptoirError as error:
            raise _seen(error) from None

    async def record_load(self, sample: LoadSample) -> None:
        """Returns once the sample is durable; raises ComptoirError or EventRefusedError."""
        message = events.replica_load_from(
            sample,
            self._replica,
            config_digest=self._config_digest,
            accelerator_free_bytes=self._read_free_bytes(),
        )
        try:
            await self._client.record(message)
        except ComptoirError as error:
            raise _seen(error) from None

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        await self._client.close()


def _seen(error: ComptoirError) -> Exception:
    if error.reason not in _FINAL:
        return error
    _log.error("usage_event_refused", reason=error.reason.name)
    return EventRefusedError()
