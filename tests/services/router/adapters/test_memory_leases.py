"""The lease store in memory keeps the contract of all lease stores."""

import pytest

from services.router.adapters.memory_leases import MemoryLeases
from tests.contracts.lease_store import LeaseStoreContract


class TestMemoryLeases(LeaseStoreContract):
    @pytest.fixture
    def leases(self) -> MemoryLeases:
        return MemoryLeases()
