"""The streams to every router of the region: each knows the replica, and hears of the leases that it lent."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from services.generator.adapters.router_link import RouterLink
from services.generator.adapters.router_name import RouterName
from services.generator.domain.load import LoadReport
from services.generator.domain.ports import CallBack, Capabilities, HoldBack
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.kernel.clock import Clock
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from services.runtime.logs import get_logger
from services.runtime.name_look_up import LookUp, look_up

_log = get_logger(__name__)

# At a drain, with another router there: one that restarts is back by then.
_AWAY_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.2


class RouterLinks:
    """A RouterLink for each router, as one; for each address behind a name, where a router is told by one.

    Who lent what a ticket reserves is said by its number in the ticket, and by each router on its stream.
    """

    def __init__(
        self,
        targets: Sequence[GrpcTarget],
        clock: Clock,
        *,
        interval_seconds: float,
        lifetime_seconds: float,
        look_up: LookUp = look_up,
    ) -> None:
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._lifetime_seconds = lifetime_seconds
        self._register: Callable[[RouterLink], None] = _nothing
        named = [target for target in targets if target.host_name is not None]
        self._fixed = [self._make(target) for target in targets if target.host_name is None]
        self._names = [RouterName(target, self._make, look_up) for target in named]
        # Where each lease was told of that is open: there it is settled, whatever is known by then.
        self._told: dict[Identity, RouterLink] = {}
        # Who was told too, as that one hung.
        self._told_too: dict[Identity, RouterLink] = {}
        self._is_clash_told = False

    @property
    def _links(self) -> list[RouterLink]:
        return [*self._fixed, *(link for name in self._names for link in name.links)]

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

        def tell(link: RouterLink) -> None:
            # Of a name with several addresses, all but the first hear of more than one.
            routers = len({*self._links, link})
            link.register(
                replica, address, capabilities, max_requests, incarnation=incarnation, routers=routers
            )

        self._register = tell
        for link in self._links:
            tell(link)

    def accept(self, claims: Claims) -> None:
        """Tells the router that lent it soon that this ticket is used up."""
        link = self._told[claims.lease_id] = self._lender(claims)
        link.accept(claims)
        self._tell_clash()

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        """Takes the settlement at once and delivers it until the router that lent it has confirmed it."""
        told = link = self._told.pop(claims.lease_id, None)
        too = self._told_too.pop(claims.lease_id, None)
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
        if too is not None and too not in (told, link):
            # It counts the request on this replica, and the store hears twice without harm.
            too.settle(claims, used, is_unserved=is_unserved)
        link.settle(claims, used, is_unserved=is_unserved)

    def load_changed(self) -> None:
        """Tells each router before its next regular report if the change is big."""
        for link in self._links:
            link.load_changed()

    async def run(
        self,
        read_load: Callable[[], LoadReport | None],
        hold_back: HoldBack | None = None,
        call_back: CallBack | None = None,
    ) -> None:
        """Reports to each until it is cancelled; without a load, the replica is starting.

        `hold_back` is called where one of them says that an operator wants a drain, or its end, and
        `call_back` with each lease that was given back.
        """
        async with asyncio.TaskGroup() as group:

            def start(link: RouterLink) -> asyncio.Task[None]:
                return group.create_task(link.run(read_load, hold_back, call_back))

            for link in self._fixed:
                start(link)
            for name in self._names:
                group.create_task(name.follow(start, self._forget))
            group.create_task(self._tell_others())

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until each router has confirmed its settlements; returns how many are not.

        A router that is away for seconds is not waited for where another one is there: it may never come
        back, and where they share a store the other one is told.
        """
        until_seconds = _loop_seconds() + timeout_seconds
        for link in self._links:
            await link.settled(0.0)
        while (left_seconds := until_seconds - _loop_seconds()) > 0:
            # Each time anew: routers behind a name come and go, and what one did not hear another is told.
            awaited = [link for link in self._links if link.unsettled and not self._is_in_vain(link)]
            if not awaited:
                break
            await awaited[0].settled(min(left_seconds, _LOOK_SECONDS))
        for link in self._links:
            if link.unsettled:
                _log.warning("router_has_not_confirmed", address=link.address, count=link.unsettled)
        return sum(link.unsettled for link in self._links)

    def _is_in_vain(self, link: RouterLink) -> bool:
        """Returns whether a router is away for long, and another one is there and told what it can be."""
        # Where all were away, each has time to come back.
        others_seconds = max(one.there_seconds for one in self._links)
        if min(link.away_seconds, others_seconds) <= _AWAY_SECONDS:
            return False
        self._hand_over(link)
        return link.unsettled > 0

    async def close(self) -> None:
        """Closes the connections; the replica is no longer registered."""
        await asyncio.gather(*(link.close() for link in self._links))

    def _make(self, target: GrpcTarget, at: str = "") -> RouterLink:
        link = RouterLink(
            target,
            self._clock,
            interval_seconds=self._interval_seconds,
            lifetime_seconds=self._lifetime_seconds,
            at=at,
        )
        link.tell_left(partial(self._hand_over, link))
        self._register(link)
        return link

    def _hand_over(self, link: RouterLink) -> None:
        """Has another router told what one that is away did not confirm, where they share a store.

        What runs too: the store may not know of it, and ends then what is reserved for it.
        """

        def lender(claims: Claims) -> RouterLink:
            other = link if claims.router else self._lender(claims)
            return other if other.is_answering else link

        link.hand_over(lender)
        for claims in link.unended():
            other = lender(claims)
            if other is not link:
                link.withdraw(claims)
                self._note_instead(link, other, claims.lease_id)
                other.accept(claims)

    def _note_instead(self, link: RouterLink, other: RouterLink, lease_id: Identity) -> None:
        """Notes that another router was told; who else was told hears of the end as before."""
        if self._told_too.get(lease_id) is not link:
            self._told[lease_id] = other
        elif self._told.get(lease_id) is other:
            del self._told_too[lease_id]
        else:
            self._told_too[lease_id] = other

    async def _tell_others(self) -> None:
        """Tells another router, for ever, what runs of which one that hangs may not have told their store.

        Its stream ends minutes later, and what nobody told the store is lent again after seconds.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for link in self._links:
                if link.is_registered and not link.is_answering:
                    self._tell_another(link)

    def _tell_another(self, link: RouterLink) -> None:
        for claims in link.unended():
            if claims.router or claims.lease_id in self._told_too:
                continue
            other = self._lender(claims)
            if other is not link and other.is_answering:
                self._told_too[claims.lease_id] = other
                other.accept(claims)

    def _forget(self, link: RouterLink) -> None:
        """Has what a router did not confirm that is gone for good told as if it had never been there."""
        self._hand_over(link)
        self._told = {lease: one for lease, one in self._told.items() if one is not link}
        self._told_too = {lease: one for lease, one in self._told_too.items() if one is not link}
        link.hand_over(self._lender)

    def _tell_clash(self) -> None:
        """Says once that two routers have one number: what one of them lends is settled with the other."""
        known = [link for link in self._links if link.is_registered and link.router_number]
        if not self._is_clash_told and len({link.router_number for link in known}) < len(known):
            self._is_clash_told = True
            _log.error("routers_have_one_number", address=known[-1].address)

    def _lender(self, claims: Claims) -> RouterLink:
        """Returns the link to the router that lent; of those that may have, one that answers.

        Any may have where the ticket names none: they share a store of leases. Each of them hears of its
        part, by the lease: every router learns from what was used what to expect of a request. Else those
        may of which no number is known.
        """
        best_first = sorted(self._links, key=lambda link: (not link.is_answering, not link.is_registered))
        if not claims.router:
            answering = [link for link in best_first if link.is_answering]
            sharing = [link for link in answering if not link.router_number] or answering or best_first[:1]
            return sharing[claims.lease_id.low % len(sharing)]
        by_number = {link.router_number: link for link in reversed(best_first)}
        return by_number.get(claims.router) or by_number.get(0) or self._links[0]


def _nothing(_link: RouterLink) -> None:
    """Says nothing yet of the replica."""


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()
