"""A password whose file is read again when it changes: whoever rotates it needs no restart."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from services.runtime.reloaded_tls import ReloadedTls


class ReloadedPassword(str):
    """What its file holds, for libraries that are given a password once and prove it at each connection.

    They ask for its bytes then, with `encode`; as text it is empty, so that none of them can print it.
    SettingsError where the file cannot be used at first; what cannot be used later changes nothing, and is
    told once.
    """

    __slots__ = ("_reloaded",)

    _reloaded: ReloadedTls[str]

    @classmethod
    def of(cls, listener: str, file: Path, load: Callable[[], str]) -> Self:
        """Returns the password that `load` reads from `file`; `listener` names it in the log."""
        password = cls("")
        password._reloaded = ReloadedTls(listener, (file,), load, what="password")
        return password

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Returns the bytes of the password of this moment."""
        self._reloaded.check()
        return self._reloaded.context.encode(encoding, errors)
