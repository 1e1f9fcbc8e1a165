"""Which Host headers name this machine: a foreign site's page must not reach the store by DNS rebinding."""

import ipaddress


def is_loopback_host(header: str) -> bool:
    """Returns whether a Host header names the loopback, with or without a port."""
    host = header.strip().lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    if host in ("localhost", "") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
