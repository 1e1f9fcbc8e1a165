"""Which Host headers are the console's: no page of another site reaches it by rebinding its own name."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

_SAME_ORIGIN = "same-origin"


def host_name(header: str) -> str:
    """Returns the name in a Host header, without its port; empty where it is none."""
    try:
        return (urlsplit(f"//{header.strip()}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_own_host(header: str, names: Collection[str]) -> bool:
    """Returns whether a Host header names this machine's loopback, or one of the names."""
    name = host_name(header)
    if name == "localhost" or name in names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_from_own_page(host: str, origin: str, fetch_site: str) -> bool:
    """Returns whether a browser says that a request comes from a page of the console itself.

    `host`, `origin` and `fetch_site` are the headers Host, Origin and Sec-Fetch-Site. Each browser that the
    page is for sends Origin with a POST; what sends neither is no browser's page and no page of ours.
    """
    if fetch_site and fetch_site != _SAME_ORIGIN:
        return False
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in {"http", "https"} and found.netloc.lower() == host.strip().lower()
