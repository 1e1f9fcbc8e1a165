"""Which client a request came from, as a number that stands for its address and tells nobody what that is."""

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

NOWHERE: Final = 0
_DIGEST_BYTES: Final = 8
# A network of IPv6 is one client's: it may take any of 2^64 addresses in it.
_NETWORK_BYTES: Final = 8
# As proxies write where a connection came from: some say its port, and then IPv6 stands in brackets.
_WITH_PORT: Final = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([^:]+):[0-9]{1,5}", re.ASCII)


class Sources:
    """Digests the addresses of clients under a secret of this edge's life, which nobody else has."""

    def __init__(self, secret: bytes, *, forwarding_proxies: int) -> None:
        self._secret = secret
        self._forwarding_proxies = forwarding_proxies

    def of(self, peer: Sequence[object] | str | None, forwarded_for: Sequence[bytes]) -> int:
        """Returns the number of a client, by its connection or by what the proxies before it say.

        `forwarded_for` is the values of `x-forwarded-for`, to which each proxy appends the address that it
        was called from; what stands before those is a client's own words. NOWHERE where there is no address.
        """
        host = peer[0] if isinstance(peer, tuple) and peer else None
        address = _address(host) if isinstance(host, str) else None
        if self._forwarding_proxies:
            said = b",".join(forwarded_for).split(b",")
            if len(said) >= self._forwarding_proxies:
                text = said[-self._forwarding_proxies].decode("ascii", "replace")
                address = _address(_host_in(text.strip().strip('"'))) or address
        if address is None:
            return NOWHERE
        return int.from_bytes(hashlib.blake2b(address, digest_size=_DIGEST_BYTES, key=self._secret).digest())


def _host_in(text: str) -> str:
    """Returns an entry of `x-forwarded-for` without a port."""
    found = _WITH_PORT.fullmatch(text)
    return text if found is None else found[1] or found[2]


def _address(text: str) -> bytes | None:
    """Returns what is one client's of an address; None for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        # As a listener of both families sees a caller by IPv4.
        mapped = address.ipv4_mapped
        return address.packed[:_NETWORK_BYTES] if mapped is None else mapped.packed
    return address.packed
