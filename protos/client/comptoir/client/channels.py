"""Channels to the router and to replicas: how they behave, what they may call, how many are kept."""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Final, Generic, TypeVar

import grpc

Kept = TypeVar("Kept")

# A lease that is not given back ends with its tickets, seconds later: nobody waits longer for it.
RELEASE_SECONDS: Final = 5.0
# A router that says nothing for this long has no other ticket; the request is then admitted anew.
NEXT_OFFER_SECONDS: Final = 5.0
# A question that a router never holds is answered in milliseconds: another router is asked after as long.
ANSWER_SECONDS: Final = 2.0
# A ticket that was accepted is used up, so no call is repeated by its channel. Servers take pings while
# calls are open, at most one in 30 s: a connection lives through a long prefill, and a dead one is noticed.
OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Also the time that one attempt to connect is given.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
)
# A proxy of the environment would read what is meant for this machine.
PLAINTEXT_OPTIONS: Final = (*OPTIONS, ("grpc.enable_http_proxy", 0))


def mutual_tls(
    *,
    certificate_file: str | PathLike[str],
    private_key_file: str | PathLike[str],
    ca_file: str | PathLike[str],
) -> grpc.ChannelCredentials:
    """Credentials of a service that shows its certificate, from three files in PEM form."""
    files = (ca_file, private_key_file, certificate_file)
    return grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in files))


def check_address(address: str, tls: grpc.ChannelCredentials | None) -> None:
    """Raises ValueError for an address that plaintext may not leave this machine for."""
    if tls is None and not is_local(address):
        raise ValueError("the address is not loopback, so it needs tls")


def is_local(address: str) -> bool:
    """Returns True if only this machine can reach `address`: loopback, or a unix socket."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Routers(Generic[Kept]):
    """The routers of a region, the nearest first: one is asked until it is lost, and then the next one.

    What `make` returns for an address is made when it is needed; may be shared by threads.
    """

    def __init__(self, router: str | Sequence[str], make: Callable[[str], Kept]) -> None:
        self.addresses = (router,) if isinstance(router, str) else tuple(router)
        if not self.addresses:
            raise ValueError("there must be a router")
        self._make = make
        self._made: dict[str, Kept] = {}
        self._asked = 0
        self._lock = threading.Lock()

    def present(self, further: int = 0) -> Kept:
        """Returns what was made for the router that is to be asked now, or for a further one."""
        with self._lock:
            address = self.addresses[(self._asked + further) % len(self.addresses)]
            if address not in self._made:
                self._made[address] = self._make(address)
            return self._made[address]

    def lose(self, lost: Kept) -> bool:
        """Notes that a router did not answer; returns False where it is not the one that is asked first."""
        with self._lock:
            is_first = self._made.get(self.addresses[self._asked]) is lost
            if is_first:
                self._asked = (self._asked + 1) % len(self.addresses)
        return is_first

    def made(self) -> list[Kept]:
        """Returns all that was made, for its owner to close."""
        with self._lock:
            return list(self._made.values())


def is_unanswered(code: grpc.StatusCode) -> bool:
    """Returns whether a router said nothing, so that another one may be asked."""
    return code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class Slot(Generic[Kept]):
    """What is kept for one address, and how many calls use it now."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.calls = 0


class Pool(Generic[Kept]):
    """What was made for the addresses that were asked last; may be shared by threads.

    More than `most` are kept only while more of them than that are in use: a request is worth more
    than the bound.
    """

    def __init__(self, make: Callable[[str], Kept], drop: Callable[[Kept], None], *, most: int) -> None:
        self._make = make
        self._drop = drop
        self._most = most
        self._slots: OrderedDict[str, Slot[Kept]] = OrderedDict()
        self._lock = threading.Lock()

    def borrow(self, address: str) -> Slot[Kept]:
        """Returns the slot of `address`, which stays until `give_back` as often as it was borrowed."""
        with self._lock:
            dropped = [] if address in self._slots else self._take_out_idle()
            slot = self._slots.get(address)
            if slot is None:
                slot = self._slots[address] = Slot(self._make(address))
            self._slots.move_to_end(address)
            slot.calls += 1
        for kept in dropped:
            self._drop(kept)
        return slot

    def give_back(self, slot: Slot[Kept]) -> None:
        """Says that one call less uses `slot`."""
        with self._lock:
            slot.calls -= 1

    def clear(self) -> list[Kept]:
        """Forgets everything, and returns it for its owner to close."""
        with self._lock:
            kept = [slot.kept for slot in self._slots.values()]
            self._slots.clear()
            return kept

    def _take_out_idle(self) -> list[Kept]:
        excess = len(self._slots) + 1 - self._most
        idle = [address for address, slot in self._slots.items() if not slot.calls]
        return [self._slots.pop(address).kept for address in idle[: max(0, excess)]]
