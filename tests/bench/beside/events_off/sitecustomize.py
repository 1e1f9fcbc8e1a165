"""Python runs this file first where its folder is on PYTHONPATH; a stack started so records no event.

For the part `events` of the benchmark. Comptoir itself has no such switch: what it serves, it counts.
"""

import sys
from typing import Final

_PRODUCERS: Final = {"services.edge", "services.router", "services.generator"}

if not _PRODUCERS.isdisjoint(sys.orig_argv):
    from google.protobuf.message import Message

    from services.runtime.emitter_client import EmitterClient

    async def _record_nothing(_: EmitterClient, *events: Message) -> None:
        """Takes the place of EmitterClient.record."""
        del events

    EmitterClient.record = _record_nothing  # type: ignore[assignment, method-assign]
