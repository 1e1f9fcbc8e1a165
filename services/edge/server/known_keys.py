"""Keys that the router knows: who shows another makes the edge read no long body."""

import hashlib
from collections import OrderedDict
from typing import Final

from services.edge.domain.ports import Router
from services.edge.domain.timeline import EdgeRequest
from services.kernel.clock import Clock

# A key that was revoked meanwhile is refused behind its body, as any other is.
MAX_AGE_SECONDS: Final = 300.0
MAX_KEYS: Final = 10_000


class KnownKeys:
    """Remembers, by their digests, which keys the router knew a while ago.

    The form of a key is no secret and anybody can make one up, so it permits no more than a short body.
    """

    def __init__(self, router: Router, clock: Clock) -> None:
        self._router = router
        self._clock = clock
        self._seen_seconds: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, key: str, event: EdgeRequest) -> None:
        """Raises what the router says of a key that it does not know, or where it cannot be asked."""
        digest = hashlib.sha256(key.encode()).digest()
        now_seconds = self._clock.monotonic_seconds()
        if now_seconds - self._seen_seconds.get(digest, -MAX_AGE_SECONDS) < MAX_AGE_SECONDS:
            return
        await self._router.list_models(key=key, request_id=event.request_id, source=event.source)
        self._seen_seconds[digest] = now_seconds
        self._seen_seconds.move_to_end(digest)
        if len(self._seen_seconds) > MAX_KEYS:
            self._seen_seconds.popitem(last=False)
