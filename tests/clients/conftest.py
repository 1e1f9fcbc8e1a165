"""One whole stack with the real engine, which every client of these tests calls."""

from tests.system.conftest import stack

__all__ = ["stack"]
