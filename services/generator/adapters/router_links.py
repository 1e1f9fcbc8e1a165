"""The streams to every router of the region: each knows the replica, and hears of the leases that it lent."""

import asyncio
from collections.abc import Callable, Sequence

from services.generator.adapters.router_link import HoldBack, RouterLink
from services.generator.domain.load import LoadReport
from services.generator.domain.ports import Capabilities
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.kernel.clock import Clock
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class RouterLinks:
    """A RouterLink for each router, as one.

    Who lent what a ticket reserves is said by its number in the ticket, and by each router on its stream.
    """

    def __init__(
        self,
        targets: Sequence[GrpcTarget],
        clock: Clock,
        *,
        interval_seconds: float,
        lifetime_seconds: float,
    ) -> None:
        self._links = [
            RouterLink(target, clock, interval_seconds=interval_seconds, lifetime_seconds=lifetime_seconds)
            for target in targets
        ]
        # Where each lease was told of that is open: there it is settled, whatever is known by then.
        self._told: dict[Identity, RouterLink] = {}
        self._is_clash_told = False

    @property
    def is_registered(self) -> bool:
        """Whether a router has answered on the stream that is open now."""
        return any(link.is_registered for link in self._links)

    def register(
        self,
        replica: Replica,
        address: str,
        capabilities: Capabilities,
        max_requests: int,
        *,
        incarnation: int,
    ) -> None:
        """Sets what the replica says of itself; call it before `run`."""
        for link in self._links:
            link.register(replica, address, capabilities, max_requests, incarnation=incarnation)

    def accept(self, claims: Claims) -> None:
        """Tells the router that lent it soon that this ticket is used up."""
        link = self._told[claims.lease_id] = self._lender(claims)
        link.accept(claims)
        self._tell_clash()

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        """Takes the settlement at once and delivers it until the router that lent it has confirmed it."""
        told = link = self._told.pop(claims.lease_id, None)
        # Where routers share a store, any of them takes it; what it was not told of, it finds there.
        if link is None or not (claims.router or link.is_answering):
            link = self._lender(claims)
        if told is not None and told is not link:
            if told.is_registered:
                # It hangs, and counts the request on this replica until it hears too, once it goes on.
                told.settle(claims, used, is_unserved=is_unserved)
            else:
                # It would say on its next stream that the ticket is in use.
                told.withdraw(claims)
        link.settle(claims, used, is_unserved=is_unserved)

    def load_changed(self) -> None:
        """Tells each router before its next regular report if the change is big."""
        for link in self._links:
            link.load_changed()

    async def run(
        self, read_load: Callable[[], LoadReport | None], hold_back: HoldBack | None = None
    ) -> None:
        """Reports to each until it is cancelled; without a load, the replica is starting.

        `hold_back` is called where one of them says that an operator wants a drain, or its end.
        """
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.run(read_load, hold_back))

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until each router has confirmed its settlements; returns how many are not."""
        return sum(await asyncio.gather(*(link.settled(timeout_seconds) for link in self._links)))

    async def close(self) -> None:
        """Closes the connections; the replica is no longer registered."""
        await asyncio.gather(*(link.close() for link in self._links))

    def _tell_clash(self) -> None:
        """Says once that two routers have one number: what one of them lends is settled with the other."""
        known = [link for link in self._links if link.is_registered and link.router_number]
        if not self._is_clash_told and len({link.router_number for link in known}) < len(known):
            self._is_clash_told = True
            _log.error("routers_have_one_number", address=known[-1].address)

    def _lender(self, claims: Claims) -> RouterLink:
        """Returns the link to the router that lent; of those that may have, the first that answers.

        These are the ones of which no number is known, or that share a store of leases.
        """
        by_number = {link.router_number: link for link in reversed(self._links)}
        by_number.update({link.router_number: link for link in reversed(self._links) if link.is_registered})
        by_number.update({link.router_number: link for link in reversed(self._links) if link.is_answering})
        return by_number.get(claims.router) or by_number.get(0) or self._links[0]
