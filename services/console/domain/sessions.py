"""Who has signed in: sessions that end by themselves, and links that were used."""

import hashlib
from typing import Final

# Of one operator's browsers there are a few; the oldest goes for a new one.
MOST_SESSIONS: Final = 256
MOST_USED_LINKS: Final = 4_096


class Sessions:
    """Sessions by digests of their secrets; seconds are those of one clock."""

    def __init__(self, session_seconds: float) -> None:
        self._session_seconds = session_seconds
        self._ends_seconds: dict[bytes, float] = {}

    def begin(self, secret: str, now_seconds: float) -> None:
        """Lets the holder of a secret in until the session ends."""
        self._forget(now_seconds)
        while len(self._ends_seconds) >= MOST_SESSIONS:
            del self._ends_seconds[next(iter(self._ends_seconds))]
        self._ends_seconds[_digest(secret)] = now_seconds + self._session_seconds

    def knows(self, secret: str, now_seconds: float) -> bool:
        """Returns whether the secret is that of a session."""
        return bool(secret) and self._ends_seconds.get(_digest(secret), 0.0) > now_seconds

    def end(self, secret: str) -> None:
        """Ends the session of a secret, where there is one."""
        self._ends_seconds.pop(_digest(secret), None)

    def _forget(self, now_seconds: float) -> None:
        over = [digest for digest, ends in self._ends_seconds.items() if ends <= now_seconds]
        for digest in over:
            del self._ends_seconds[digest]


class UsedLinks:
    """Links of one run that were used, remembered until they would be over anyway; on its clock."""

    def __init__(self, link_seconds: float) -> None:
        self._link_seconds = link_seconds
        self._used_seconds: dict[bytes, float] = {}

    def use(self, nonce: bytes, now_seconds: float) -> bool:
        """Returns whether the link is used for the first time; nothing is, where too many are remembered."""
        over = [
            known for known, used in self._used_seconds.items() if used + self._link_seconds <= now_seconds
        ]
        for known in over:
            del self._used_seconds[known]
        if nonce in self._used_seconds or len(self._used_seconds) >= MOST_USED_LINKS:
            return False
        self._used_seconds[nonce] = now_seconds
        return True


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
