from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.spacing import RESUME_SECONDS, SPACING_SECONDS, Spacing

FLUSH_SECONDS = 0.001


class Disk:
    """A spool's writer in a time of its own: `arrivals` are the moments at which calls of one event come."""

    def __init__(self) -> None:
        self.spacing = Spacing()
        self.now = 1_000.0
        self.commits = list[int]()
        self.waited = list[float]()

    def write(self, arrivals: list[float]) -> None:
        """Commits calls that come independently of each other."""
        left = sorted(arrivals)
        while left:
            self.now = max(self.now, left[0])
            group = [arrival for arrival in left if arrival <= self.now]
            del left[: len(group)]
            self.commit(group)

    def commit(self, group: list[float]) -> None:
        self.now += FLUSH_SECONDS
        self.commits.append(len(group))
        self.waited += [self.now - arrival for arrival in group]
        self.now += self.spacing.pause_seconds([1] * len(group), self.now)

    def ask_alone(self, times: int, *, think_seconds: float) -> None:
        """Commits the calls of one caller that has its answer before it calls again."""
        for _ in range(times):
            asked = self.now_of_caller + think_seconds
            self.now = max(self.now, asked)
            self.commit([asked])

    @property
    def now_of_caller(self) -> float:
        """When the last answer came: the pause after it is the disk's."""
        return self.spacing._committed_at_seconds if self.commits else self.now


def test_calls_that_come_closely_share_commits_that_are_spaced() -> None:
    disk = Disk()
    disk.write([1_000 + number / 200 for number in range(1_000)])
    assert len(disk.commits) < 500
    assert max(disk.waited) < SPACING_SECONDS + 3 * FLUSH_SECONDS


def test_calls_that_come_now_and_then_are_committed_at_once() -> None:
    disk = Disk()
    disk.write([1_000 + number / 30 for number in range(1_000)])
    assert disk.commits == [1] * 1_000
    assert max(disk.waited) < 2 * FLUSH_SECONDS


def test_one_caller_however_fast_hardly_waits() -> None:
    disk = Disk()
    disk.ask_alone(10_000, think_seconds=0.004)
    slow = [seconds for seconds in disk.waited if seconds > 2 * FLUSH_SECONDS]
    assert len(slow) / len(disk.waited) < 0.02


def test_a_large_batch_now_and_then_is_not_taken_for_many_callers() -> None:
    disk = Disk()
    for _ in range(200):
        disk.now += 0.2
        assert disk.spacing.pause_seconds([40], disk.now) == 0.0


def test_one_caller_after_many_soon_waits_no_more_and_many_later_are_spaced_again() -> None:
    disk = Disk()
    disk.write([1_000 + number / 200 for number in range(1_000)])
    disk.ask_alone(40, think_seconds=0.004)
    assert disk.waited[-1] < 2 * FLUSH_SECONDS
    disk.now += RESUME_SECONDS
    before = len(disk.commits)
    disk.write([disk.now + number / 200 for number in range(1_000)])
    assert len(disk.commits) - before < 500


@given(st.lists(st.tuples(st.floats(0, 100), st.lists(st.integers(1, 500), min_size=1)), max_size=60))
def test_a_pause_is_never_longer_than_the_spacing(commits: list[tuple[float, list[int]]]) -> None:
    spacing, now = Spacing(), 0.0
    for elapsed, sizes in commits:
        now += elapsed
        assert spacing.pause_seconds(sizes, now) in (0.0, SPACING_SECONDS)
