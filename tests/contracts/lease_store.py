"""What every lease store promises; a test module gives its fixtures and inherits the class.

`leases` is an empty store as one router reaches it, `elsewhere` the same store as another router does: no
answer may depend on who asks, or on a caller's clock. `wait` lets the store's own time pass. What
outlives a store is in `lease_records.py`.
"""

from tests.contracts.lease_ends import LeaseEndsContract
from tests.contracts.lease_further_tickets import LeaseFurtherTicketsContract
from tests.contracts.lease_lent import LeaseLentContract
from tests.contracts.lease_quotas import LeaseQuotasContract
from tests.contracts.lease_spending import LeaseSpendingContract
from tests.contracts.lease_tickets import LeaseTicketsContract


class LeaseStoreContract(
    LeaseQuotasContract,
    LeaseSpendingContract,
    LeaseTicketsContract,
    LeaseFurtherTicketsContract,
    LeaseEndsContract,
    LeaseLentContract,
):
    """All of it, for one store."""
