"""Whatever happens to leases in memory in any order: nothing is oversold, nothing leaks."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.services.router.adapters.lease_machine import Leases


class LeasesByAWallClockThatIsSet(Leases):
    """Days and months come twice: what was spent in one is spent when it comes again."""

    @rule(hours=st.integers(-40 * 24, 0))
    def set_back(self, hours: int) -> None:
        self.clock.set_wall(self.clock.wall_microseconds() + hours * 3_600_000_000)


TestLeases = LeasesByAWallClockThatIsSet.TestCase

TestLeases.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
