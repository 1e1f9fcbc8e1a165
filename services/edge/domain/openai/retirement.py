"""What a client is told of a name that it should not use any more: RFC 9745, RFC 8594 and RFC 5829."""

from email.utils import formatdate
from urllib.parse import quote

from services.edge.domain.openai.paths import MODELS_PATH
from services.edge.domain.ports import Retirement


def retirement_headers(model_name: str, retirement: Retirement | None) -> list[tuple[bytes, bytes]]:
    """Returns `deprecation`, `sunset` where that is known, and a link to the model that answers instead."""
    if retirement is None:
        return []
    successor = f'<{MODELS_PATH}/{quote(model_name)}>; rel="successor-version"'
    headers = [(b"deprecation", b"@%d" % retirement.deprecated_at_seconds), (b"link", successor.encode())]
    if retirement.sunset_at_seconds:
        headers.append((b"sunset", formatdate(retirement.sunset_at_seconds, usegmt=True).encode()))
    return headers
