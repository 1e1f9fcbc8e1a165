"""The transfer records that are in force, followed while a process runs: what is unclear permits nothing."""

import asyncio
from typing import Final

from services.contract.transfer import TransferRecord
from services.kernel.clock import Clock
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import shared as metrics
from services.runtime.telemetry import Observations, gauges
from services.runtime.transfer_settings import TransferSettings
from services.runtime.transfers.folder import Entry, State, read_folder, states_of
from services.runtime.transfers.people import People

_log = get_logger(__name__)
# A revocation takes effect after this long.
LOOK_SECONDS: Final = 0.5
_MICROSECONDS: Final = 1_000_000


class TransferRecords:
    """Approved records by number, read again when the folder changes.

    Where the folder cannot be read none is in force. What was revoked once stays so for as long as the
    process runs, even if the revocation is taken away.
    """

    def __init__(self, settings: TransferSettings, clock: Clock) -> None:
        """Reads the folder; SettingsError where a person's public key cannot be read."""
        self._folder = settings.folder
        self._people = People.of(settings)
        self._clock = clock
        self._records: tuple[TransferRecord, ...] = ()
        self._revoked: set[int] = set()
        self._states: dict[str, tuple[int, int, int, int]] | None = {}
        self.look()
        gauges(metrics.TRANSFER_EXPIRES_IN, self._left)

    def number_for(self, region: str, home: str) -> int:
        """Returns the record by which the region may serve a key of `home` now; 0 where there is none."""
        if not self._records:
            return 0
        now_seconds = self._clock.wall_microseconds() / _MICROSECONDS
        permitting = (one.number for one in self._records if one.permits(region, home, now_seconds))
        return next(permitting, 0)

    def permits(self, number: int, region: str, home: str) -> bool:
        """Tells whether that record lets the region serve a key of `home` now."""
        now_seconds = self._clock.wall_microseconds() / _MICROSECONDS
        return any(one.number == number and one.permits(region, home, now_seconds) for one in self._records)

    def _left(self) -> Observations:
        now_seconds = self._clock.wall_microseconds() / _MICROSECONDS
        for one in self._records:
            if one.is_in_force(now_seconds):
                yield one.until_seconds - now_seconds, {"record": str(one.number)}

    async def follow(self) -> None:
        """Looks for changes, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Reads the folder if it changed."""
        if self._folder is None:
            return
        try:
            states = states_of(self._folder)
            if states == self._states:
                return
            entries = read_folder(self._folder, self._people)
        except OSError as error:
            if self._states is not None:
                _log.error("transfer_folder_unreadable", error_type=type(error).__name__)
            self._records, self._states = (), None
            return
        self._take(entries)
        self._states = states

    def _take(self, entries: dict[int, Entry]) -> None:
        self._revoked |= {number for number, entry in entries.items() if entry.state is State.REVOKED}
        good = [
            entry.record
            for number, entry in entries.items()
            if entry.record is not None and entry.state is State.APPROVED and number not in self._revoked
        ]
        # The one that lasts longest is used, so that what runs has one number for as long as can be.
        self._records = tuple(sorted(good, key=lambda one: -one.until_seconds))
        _log.info("transfer_records_read", count=len(self._records))
        for entry in entries.values():
            if entry.state in {State.UNREADABLE, State.UNSIGNED}:
                _log.error("transfer_record_refused", kind=entry.state.value)
