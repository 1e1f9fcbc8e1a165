"""A router that begins anew, with its leases in memory, goes on with the budgets that it had."""

from comptoir.router.v1 import admin_pb2

from services.kernel.errors import Reason
from services.router.settings import RouterSettings
from tests.fakes.running_router import admit, refused, running_router, settlement


async def test_a_tenants_day_is_spent_after_a_restart_as_before(router_settings: RouterSettings) -> None:
    async with running_router(router_settings) as running:
        api_key = await running.key()
        of_tenant = admin_pb2.Quota(tokens_per_day=300)
        await running.admin.UpdateTenant(admin_pb2.UpdateTenantRequest(name="acme", quota=of_tenant))
        async with running.replica() as replica:
            admitted = await running.router.Admit(admit(api_key))
            await replica.say(settlements=[settlement(admitted, tokens=70)])
    async with running_router(router_settings) as running, running.replica():
        refusal = await refused(running.router.Admit(admit(api_key, max_output_tokens=100)))
        assert (refusal.reason, refusal.is_of_tenant) == (Reason.DAY_TOKENS_EXHAUSTED, True)
        numbers = refusal.numbers
        assert (numbers.limit, numbers.requested, numbers.available) == (300, 200, 160)
        assert (await running.router.Admit(admit(api_key, max_output_tokens=10))).lease_id_low
