"""The leases that a process keeps: by their identity, by the request that they are for, and by their ends."""

from collections.abc import AsyncIterator, Callable

from services.kernel.identity import Identity
from services.router.adapters.due_leases import DueLeases
from services.router.domain.lease import MOST_ADMITTED_AGAIN, NOBODY, Lease, RequestPart
from services.router.domain.quota import Payer


class KeptLeases:
    """Finds leases; it decides nothing of them."""

    def __init__(self) -> None:
        self._leases: dict[Identity, Lease] = {}
        # The latest lease of each request, or of each of its parts.
        self._of_request: dict[RequestPart, Identity] = {}
        self._due = DueLeases()

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._leases)

    def get(self, lease_id: Identity) -> Lease | None:
        """Returns a lease, or None."""
        return self._leases.get(lease_id)

    def all(self) -> list[Lease]:
        """Returns every lease, as they are now."""
        return list(self._leases.values())

    def add(self, lease: Lease) -> None:
        """Keeps a lease, as the latest of its request."""
        self._leases[lease.lease_id] = lease
        if lease.is_reserved:
            self.will_end(lease, lease.expires_at_seconds)
        if lease.request.request_id.is_set:
            self._of_request[lease.request] = lease.lease_id

    def earlier(self, payer: Payer, request: RequestPart) -> Lease | None:
        """Returns the lease that a request of a key had, unless it goes on by another one already."""
        lease = self._leases.get(self._of_request.get(request, NOBODY))
        if lease is None or lease.payer.key != payer.key:
            return None
        return None if lease.is_followed or lease.again >= MOST_ADMITTED_AGAIN else lease

    def will_end(self, lease: Lease, at_seconds: float) -> None:
        """Notes that something of a lease is over then."""
        self._due.add(lease.lease_id, at_seconds)

    def over(self, now: Callable[[], float]) -> AsyncIterator[Identity]:
        """Yields the leases of which something may be over; others have their turn between many."""
        return self._due.over(now)

    def shrink(self) -> None:
        """Throws away ends that are none any more."""
        self._due.shrink(self._leases)

    def drop_if_over(self, lease: Lease) -> None:
        """Forgets a lease that holds nothing any more; its request is that of the lease before again."""
        if not lease.is_over:
            return
        self._leases.pop(lease.lease_id, None)
        if self._of_request.get(lease.request) == lease.lease_id:
            del self._of_request[lease.request]
            if lease.earlier in self._leases:
                self._of_request[lease.request] = lease.earlier
