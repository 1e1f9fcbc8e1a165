"""For how much longer the certificates that the settings name are valid, by their files as they are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from services.kernel.clock import Clock
from services.runtime.metrics.registry import shared as metrics
from services.runtime.settings_files import named_files
from services.runtime.telemetry import Observations, gauges

_MICROSECONDS: Final = 1_000_000
# What TLS files, the edge's and an engine's alike, call those that hold certificates.
_AUTHORITIES: Final = "ca_file"
_KEYS: Final = ("certificate_file", _AUTHORITIES)


def show_certificates(settings: BaseModel, section: str, shared_keys: Sequence[str], clock: Clock) -> None:
    """Shows the time that is left for each file; nothing where the settings name none."""
    files = [
        (key, _File(path, _end_of(key))) for key, path in _certificate_files(settings, section, shared_keys)
    ]

    def left() -> Observations:
        now_seconds = clock.wall_microseconds() / _MICROSECONDS
        for key, file in files:
            end_seconds = file.end_seconds()
            yield (0.0 if end_seconds is None else end_seconds - now_seconds), {"setting": key}

    if files:
        gauges(metrics.CERTIFICATE_EXPIRES_IN, left)


def _certificate_files(
    settings: BaseModel, section: str, shared_keys: Sequence[str]
) -> Iterator[tuple[str, Path]]:
    for key, path in named_files(settings):
        if key.rpartition(".")[2] in _KEYS:
            is_shared = key.partition(".")[0] in shared_keys
            yield (key if is_shared else f"{section}.{key}"), path


def _end_of(key: str) -> Callable[[Iterable[float]], float]:
    # A certificate is shown with those that vouch for it, and is worth nothing without one of them. Of
    # authorities one is enough: those that have ended stay in bundles for years.
    return max if key.endswith(_AUTHORITIES) else min


class _File:
    """One file, which is read again when it changes; `end_of` says which of its ends is the file's."""

    def __init__(self, path: Path, end_of: Callable[[Iterable[float]], float]) -> None:
        self._path = path
        self._end_of = end_of
        self._state: tuple[int, int, int] | None = None
        self._end_seconds: float | None = None

    def end_seconds(self) -> float | None:
        """Returns when the file is good for nothing; None where no certificate can be read."""
        try:
            found = self._path.stat()
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if state != self._state:
                ends = _ends(self._path.read_bytes())
                self._end_seconds = self._end_of(ends) if ends else None
                self._state = state
        except OSError:
            self._state = self._end_seconds = None
        return self._end_seconds


def _ends(pem: bytes) -> Sequence[float]:
    # Only who has certificates needs what reads them.
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

    try:
        return [one.not_valid_after_utc.timestamp() for one in load_pem_x509_certificates(pem)]
    except ValueError:
        return ()
