"""Whatever happens to leases in memory in any order: nothing is oversold, nothing leaks."""

from hypothesis import settings

from tests.services.router.adapters.lease_machine import Leases

TestLeases = Leases.TestCase

TestLeases.settings = settings(max_examples=150, stateful_step_count=40)
