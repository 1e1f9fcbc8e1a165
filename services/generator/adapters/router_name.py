"""The routers behind one name: a stream for each address, as the addresses come and go."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from services.generator.adapters.router_link import RouterLink
from services.runtime.addresses import MOST_FURTHER, GrpcTarget
from services.runtime.logs import get_logger
from services.runtime.name_look_up import LookUp

_log = get_logger(__name__)

# From one look-up to the next, while all that are known answer, and while one is away that may be elsewhere.
_LOOK_UP_SECONDS: Final = 5.0
_SOON_SECONDS: Final = 1.0

Start: TypeAlias = Callable[[RouterLink], "asyncio.Task[None]"]


class RouterName:
    """Follows a name for ever.

    An address that is told no more keeps its link for as long as its router answers: a resolver that leaves
    one out for a moment takes no router away. The last link stays in any case, so that what is to be said of
    leases is kept. Before the first answer there is one for the name, which is not run.
    """

    def __init__(
        self, target: GrpcTarget, make: Callable[[GrpcTarget, str], RouterLink], look_up: LookUp
    ) -> None:
        self._target = target
        self._make = make
        self._look_up = look_up
        self._links: dict[str, RouterLink] = {"": make(target, "")}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._is_unknown = False

    @property
    def links(self) -> Sequence[RouterLink]:
        """Returns the links that there are now."""
        return list(self._links.values())

    async def follow(self, start: Start, gone: Callable[[RouterLink], None]) -> None:
        """Looks the name up again and again; `start` runs a link, and `gone` hears of each that ends."""
        while True:
            addresses = await self._told()
            for address in addresses:
                if address not in self._links:
                    _log.info("router_address_found", address=address)
                    self._links[address] = self._make(self._target, address)
                    self._running[address] = start(self._links[address])
            if addresses:
                await self._end(self._ended(addresses), gone)
            are_well = all(link.is_registered for link in self.links)
            await asyncio.sleep(_LOOK_UP_SECONDS if are_well else _SOON_SECONDS)

    async def _told(self) -> Sequence[str]:
        try:
            addresses = await self._look_up(self._target.address)
        except OSError as error:
            # A resolver that is away takes nothing away either.
            if not self._is_unknown:
                self._is_unknown = True
                _log.error("router_name_unknown", address=self._target.address, kind=type(error).__name__)
            return ()
        self._is_unknown = False
        return addresses[: MOST_FURTHER + 1]

    def _ended(self, addresses: Sequence[str]) -> list[str]:
        return [
            address
            for address, link in self._links.items()
            if address not in addresses and not link.is_registered
        ]

    async def _end(self, addresses: Sequence[str], gone: Callable[[RouterLink], None]) -> None:
        for address in addresses:
            link, running = self._links.pop(address), self._running.pop(address, None)
            gone(link)
            if running is not None:
                _log.info("router_address_gone", address=address)
                running.cancel()
                await asyncio.wait({running})
            await link.close()
