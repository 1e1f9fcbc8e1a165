import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.adapters.spool.store import SpoolStore
from tests.contracts.spool import event_ids, events, spool_file

NOW = 1_790_000_000_000_000
KIND = Kind.EDGE_REQUEST

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 12)),
        st.tuples(st.just("seal"), st.integers(1, 3)),
        st.tuples(st.just("remove"), st.integers(1, 3)),
        st.tuples(st.just("undo"), st.integers(1, 12)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    max_size=25,
)


class UndoneError(Exception):
    """Ends a transaction as a failing disk would."""


class Spooled:
    """A store, and what left it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SpoolStore(spool_file(folder))
        self.removed: list[Frame] = []
        self.taken = 0

    def take(self, count: int) -> None:
        with self.store.transaction():
            self.store.take([events(range(self.taken, self.taken + count), KIND)], NOW, 1.0)
        self.taken += count

    def seal(self, limit: int) -> list[Frame]:
        with self.store.transaction():
            return self.store.frames(KIND, limit, NOW, is_draining=True)

    def remove(self, count: int) -> None:
        frames = self.seal(count)
        if frames:
            with self.store.transaction():
                self.store.remove(frames[-1])
            self.removed += frames

    def undo(self, count: int) -> None:
        """Does everything at once and takes it back."""
        with pytest.raises(UndoneError):
            self._do_all_and_fail(count)

    def _do_all_and_fail(self, count: int) -> None:
        with self.store.transaction():
            self.store.take([events(range(self.taken, self.taken + count), KIND)], NOW, 1.0)
            self.store.remove(self.store.frames(KIND, 2, NOW, is_draining=True)[0])
            raise UndoneError

    def reopen(self, _: int) -> None:
        self.store.close()
        self.store = SpoolStore(spool_file(self.folder))


@settings(max_examples=60)
@given(STEPS)
def test_whatever_is_undone_or_reopened_each_event_is_in_exactly_one_place(
    steps: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spooled = Spooled(Path(folder))
        for name, count in steps:
            if name not in ("take", "undo") or spooled.store.state.size_bytes < 2_000:
                getattr(spooled, name)(count)
        assert spooled.store.state.events == spooled.taken - sum(frame.count for frame in spooled.removed)
        frames = [*spooled.removed, *spooled.seal(1_000)]
        assert event_ids(frames) == list(range(spooled.taken))
        assert [frame.first_sequence for frame in frames] == [
            1 + sum(frame.count for frame in frames[:index]) for index in range(len(frames))
        ]
        waiting = frames[len(spooled.removed) :]
        assert spooled.store.state.size_bytes == sum(len(frame.value) for frame in waiting)
        spooled.store.close()
