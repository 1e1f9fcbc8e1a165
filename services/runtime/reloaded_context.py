"""TLS of a caller outside gRPC whose files are read again when they change: no renewal needs a restart."""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from services.runtime.reloaded_tls import ReloadedTls


class ReloadedContext(ssl.SSLContext):
    """A context whose connections begin with what its files hold then; those that stand go on.

    Libraries that are given a context once, as Kafka's, connect anew with the same one, which event loops ask
    for each connection. SettingsError where the files cannot be used at first; what cannot be used later
    changes nothing, and is told once.
    """

    _reloaded: ReloadedTls[ssl.SSLContext]

    @classmethod
    def of(cls, listener: str, files: Sequence[Path], load: Callable[[], ssl.SSLContext]) -> Self:
        """Returns the context that `load` reads from `files`; `listener` names it in the log."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._reloaded = ReloadedTls(listener, files, load)
        return context

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Begins a connection between two buffers, as event loops do it."""
        self._reloaded.check()
        return self._reloaded.context.wrap_bio(*arguments, **named)
