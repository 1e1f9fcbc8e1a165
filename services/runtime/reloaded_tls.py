"""TLS files and secrets that are read again when they change: whoever renews them needs no restart."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from services.runtime.logs import get_logger
from services.runtime.settings_error import SettingsError

_log = get_logger(__name__)
# Which file a path leads to, and when it was written; None where there is none.
_State: TypeAlias = tuple[int, int, int, int] | None
Loaded = TypeVar("Loaded")


class ReloadedTls(Generic[Loaded]):
    """What TLS files held when they were last usable; `load` reads them, and raises SettingsError.

    `listener` names what they are for in the log: a setting, or an address; `what` says what they hold.
    SettingsError where they cannot be used at first.
    """

    def __init__(
        self, listener: str, files: Sequence[Path], load: Callable[[], Loaded], *, what: str = "certificate"
    ) -> None:
        self._listener = listener
        self._what = what
        self._files = tuple(files)
        self._load = load
        self._used = self._states()
        self.context = load()
        self._refused: tuple[_State, ...] | None = None
        # Whether the files have changed and cannot be used: what they held before is served until it expires.
        self.is_outdated = False

    def check(self) -> None:
        """Reads the files if they changed; what cannot be used is told once, and what was before stays."""
        states = self._states()
        if states == self._used:
            self.is_outdated = False
            return
        try:
            self.context = self._load()
        except SettingsError:
            # The files are not written at one moment: what is the same at the next look is no transition.
            if states == self._refused and not self.is_outdated:
                self.is_outdated = True
                _log.error(f"{self._what}_unusable", kind=self._listener)
            self._refused = states
            return
        self._used, self.is_outdated = states, False
        _log.info(f"{self._what}_reloaded", kind=self._listener)

    def _states(self) -> tuple[_State, ...]:
        return tuple(map(_state, self._files))


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
