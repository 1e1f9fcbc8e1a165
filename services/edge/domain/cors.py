"""What pages of other origins may do (CORS): nothing, unless the operator names their origins."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

Headers: TypeAlias = list[tuple[bytes, bytes]]

ANY_ORIGIN: Final = "*"
# As browsers write them: no path, no upper case.
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_DEFAULT_PORTS: Final = (("http://", ":80"), ("https://", ":443"))
# Chromium keeps a preflight's answer no longer.
_MAX_AGE_SECONDS: Final = 7200
# A star stands for every name but Authorization. The others are for browsers that do not know the star.
_ALLOWED_HEADERS: Final = (
    b"authorization, content-type, x-request-id, x-comptoir-priority, openai-organization, openai-project, "
    b"x-stainless-arch, "
    b"x-stainless-async, x-stainless-custom-poll-interval, x-stainless-helper-method, x-stainless-lang, "
    b"x-stainless-os, x-stainless-package-version, x-stainless-poll-helper, x-stainless-retry-count, "
    b"x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout, *"
)
_EXPOSED_HEADERS: Final = (
    b"x-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, "
    b"x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    b"x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, x-comptoir-ignored-fields, deprecation, "
    b"sunset, link"
)


def _checked(origin: str) -> str:
    if origin == ANY_ORIGIN:
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("is no origin as a browser sends it: https://host or https://host:port")
    if any(origin.startswith(scheme) and origin.endswith(port) for scheme, port in _DEFAULT_PORTS):
        raise ValueError("has the port that browsers leave out of an origin")
    return origin


Origin: TypeAlias = Annotated[str, AfterValidator(_checked)]


class Cors:
    """The headers of answers to pages of other origins; no origin that is not listed is ever repeated."""

    def __init__(self, origins: Sequence[str]) -> None:
        self.is_on = bool(origins)
        self._is_any = ANY_ORIGIN in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    def answer_headers(self, origins: Sequence[bytes]) -> Headers:
        """Returns what an answer says to a request with these `origin` headers."""
        if not self.is_on:
            return []
        # For caches, on every answer: with another origin, it would be another one.
        headers = [(b"vary", b"origin")]
        if allowed := self._allowed(origins):
            headers += [
                (b"access-control-allow-origin", allowed),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
            ]
        return headers

    def preflight_headers(self, origins: Sequence[bytes], methods: bytes) -> Headers:
        """Returns what OPTIONS says beside that, where `methods` may be sent to the path."""
        if self._allowed(origins) is None:
            return []
        return [
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"%d" % _MAX_AGE_SECONDS),
        ]

    def _allowed(self, origins: Sequence[bytes]) -> bytes | None:
        if self._is_any:
            return ANY_ORIGIN.encode()
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None
