"""Which replicas had the beginning of a prompt lately, by digests and tenant; bounded, and of no text."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from services.contract.prefix import PREFIX_ENDS_BYTES
from services.router.domain.lease import Process
from services.router.domain.placement.asking import expected_input_tokens

_64_BITS: Final = 2**64 - 1
# What one digest takes, with its places: measured, and rounded up.
ENTRY_BYTES: Final = 600
# Of those that had it last.
_MOST_PLACES: Final = 4
_LATELY_SECONDS: Final = 600.0
_MOST_REPLICAS: Final = 4096
# At a time, since it is looked for who has the most.
_DROPPED_AT_ONCE: Final = 64


class Beginning(NamedTuple):
    """How a prompt begins: digests of its first bytes, each further one of more of them, and whose it is."""

    tenant: int = 0
    digests: Sequence[int] = ()

    def __repr__(self) -> str:
        """Says no digest."""
        return f"Beginning({len(self.digests)} digests)"

    @property
    def number(self) -> int:
        """Returns what stands for it, another number for each tenant; 0 where nothing is known of it."""
        return (self.digests[0] ^ self.tenant * 0x9E3779B97F4A7C15) & _64_BITS if self.digests else 0


UNKNOWN_BEGINNING: Final = Beginning()


class _Place(NamedTuple):
    """A process that had it, once so many tokens were sent there in all."""

    process: Process
    sent_tokens: int
    at_seconds: float


@dataclass(slots=True)
class _Sent:
    """What was sent to a process; places from before `forgotten_tokens` say nothing."""

    process: Process
    tokens: int = 0
    forgotten_tokens: int = -1


_Entries: TypeAlias = OrderedDict[tuple[int, int], tuple[_Place, ...]]


class PrefixMemory:
    """Remembers by tenant, model and digest, what was used last, `most_bytes` in all.

    Where that is not enough, the tenant that has the most forgets first: none with less than its share does.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes // ENTRY_BYTES
        self._count = 0
        self._tenants: dict[int, _Entries] = {}
        # Who has so many entries, and the most that any has: found without a look at all tenants.
        self._having: dict[int, dict[int, None]] = {}
        self._largest = 0
        self._sent: OrderedDict[int, _Sent] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def cached_tokens(self, beginning: Beginning, model: int, now_seconds: float) -> dict[Process, int]:
        """Returns how many tokens of a prompt each process is expected to have in its cache."""
        entries, found = self._tenants.get(beginning.tenant), dict[Process, int]()
        if entries is None:
            return found
        for digest, end_bytes in reversed([*zip(beginning.digests, PREFIX_ENDS_BYTES, strict=False)]):
            for place in entries.get((model, digest), ()):
                if place.process not in found and self._is_there(place, now_seconds):
                    found[place.process] = expected_input_tokens(end_bytes)
        return found

    def note(
        self,
        beginning: Beginning,
        model: int,
        process: Process,
        *,
        new_tokens: int,
        cache_tokens: int,
        now_seconds: float,
    ) -> None:
        """Notes that a prompt was sent to a process whose cache holds `cache_tokens`, 0 where unknown.

        `new_tokens` are those that were not expected to be there.
        """
        sent = self._sent_to(process)
        sent.tokens += new_tokens
        sent.forgotten_tokens = max(sent.forgotten_tokens, sent.tokens - cache_tokens if cache_tokens else -1)
        digests = beginning.digests[: len(PREFIX_ENDS_BYTES)]
        if not digests or self._most <= 0:
            return
        entries = self._tenants.setdefault(beginning.tenant, OrderedDict())
        had = len(entries)
        place = _Place(process, sent.tokens, now_seconds)
        for digest in digests:
            before = entries.pop((model, digest), None)
            self._count += before is None
            entries[model, digest] = (place,) if before is None else (place, *_others(before, process))
        self._note_size(beginning.tenant, had, len(entries))
        while self._count > self._most:
            self._drop(beginning.tenant)

    def forget(self, process: Process) -> None:
        """Forgets what a process had: it failed a request, so nobody knows that it computed it."""
        sent = self._sent_to(process)
        sent.forgotten_tokens = sent.tokens
        # What it is sent from now on counts, however little that is.
        sent.tokens += 1

    def _sent_to(self, process: Process) -> _Sent:
        sent = self._sent.pop(process.replica, None)
        if sent is None or sent.process != process:
            sent = _Sent(process)
        self._sent[process.replica] = sent
        if len(self._sent) > _MOST_REPLICAS:
            self._sent.popitem(last=False)
        return sent

    def _is_there(self, place: _Place, now_seconds: float) -> bool:
        sent = self._sent.get(place.process.replica)
        return (
            sent is not None
            and sent.process == place.process
            and place.sent_tokens > sent.forgotten_tokens
            and now_seconds - place.at_seconds < _LATELY_SECONDS
        )

    def _drop(self, tenant: int) -> None:
        """Drops what was used longest ago: of the tenant that adds, unless others have more."""
        share = self._count // len(self._tenants)
        if len(self._tenants[tenant]) <= share:
            while self._largest not in self._having:
                self._largest -= 1
            tenant = next(iter(self._having[self._largest]))
        entries = self._tenants[tenant]
        had = len(entries)
        for _ in range(max(1, min(_DROPPED_AT_ONCE, len(entries) - share))):
            entries.popitem(last=False)
            self._count -= 1
        self._note_size(tenant, had, len(entries))
        if not entries:
            del self._tenants[tenant]

    def _note_size(self, tenant: int, had: int, has: int) -> None:
        if had == has:
            return
        if had:
            del self._having[had][tenant]
            if not self._having[had]:
                del self._having[had]
        if has:
            self._having.setdefault(has, {})[tenant] = None
            self._largest = max(self._largest, has)


def _others(places: tuple[_Place, ...], process: Process) -> Sequence[_Place]:
    if places[0].process == process:
        return places[1:]
    return [one for one in places if one.process != process][: _MOST_PLACES - 1]
