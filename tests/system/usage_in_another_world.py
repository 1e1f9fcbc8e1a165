"""The usage pipeline with a clock that is off, or as a build that reads more versions of the schema.

`python -m tests.system.usage_in_another_world OFFSET_SECONDS VERSION,VERSION --config FILE`
"""

import sys

from pipelines.usage import __main__ as usage
from pipelines.usage import process
from services.contract import frame
from services.kernel.clock import SystemClock


class ClockThatIsOff(SystemClock):
    """The machine's clock, set wrong."""

    offset_microseconds = 0

    def wall_microseconds(self) -> int:
        """Microseconds since 1970-01-01 UTC, and the offset."""
        return super().wall_microseconds() + self.offset_microseconds


if __name__ == "__main__":
    ClockThatIsOff.offset_microseconds = int(sys.argv.pop(1)) * 1_000_000
    vars(frame)["SCHEMA_VERSIONS"] = frozenset(map(int, sys.argv.pop(1).split(",")))
    vars(process)["SystemClock"] = ClockThatIsOff
    usage.main()
