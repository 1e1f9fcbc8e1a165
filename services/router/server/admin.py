"""AdminService: tenants, keys and replicas, on the operators' own listener."""

from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.kernel.clock import Clock
from services.router.domain.administration import (
    Administration,
    SpendingStore,
    spending_of,
    spending_of_all,
)
from services.router.domain.admission import Deployment
from services.router.domain.batch_gate import BatchGate
from services.router.domain.roster import Roster
from services.router.wire import admin as admin_wire
from services.runtime.grpc.interceptors import Context
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class AdminServer(admin_pb2_grpc.AdminServiceServicer):
    """Answers operators."""

    def __init__(
        self,
        administration: Administration,
        roster: Roster,
        batch: BatchGate,
        spending: SpendingStore,
        deployment: Deployment,
        clock: Clock,
    ) -> None:
        self._administration = administration
        self._roster = roster
        self._batch = batch
        self._spending = spending
        self._catalog, self._region = deployment.catalog, deployment.region
        self._clock = clock

    async def CreateTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.CreateTenantRequest, context: Context
    ) -> admin_pb2.CreateTenantResponse:
        """Creates a tenant."""
        del context
        stored = await self._administration.create_tenant(
            request.name, request.home_region, admin_wire.quota(request.quota)
        )
        _log.info("tenant_created", tenant_number=stored.number)
        return admin_pb2.CreateTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def GetTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.GetTenantRequest, context: Context
    ) -> admin_pb2.GetTenantResponse:
        """Tells of one tenant."""
        del context
        stored = await self._administration.tenant(request.name)
        used = await spending_of(self._spending, stored.number)
        return admin_pb2.GetTenantResponse(
            tenant=admin_wire.tenant(stored, self._catalog), spending=admin_wire.spending(used, self._catalog)
        )

    async def ListTenants(  # noqa: N802 - the schema's name
        self, request: admin_pb2.ListTenantsRequest, context: Context
    ) -> admin_pb2.ListTenantsResponse:
        """Lists tenants, all or a page of them."""
        del context
        listed = await self._administration.list_tenants(admin_wire.page(request))
        tenants, token = admin_wire.fitting(listed, request.page_size)
        used = await spending_of_all(self._spending, tenants) if request.with_spending else []
        return admin_pb2.ListTenantsResponse(
            tenants=[admin_wire.tenant(stored, self._catalog) for stored in tenants],
            next_page_token=token,
            spending=[admin_wire.known_spending(one, self._catalog) for one in used],
        )

    async def UpdateTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.UpdateTenantRequest, context: Context
    ) -> admin_pb2.UpdateTenantResponse:
        """Changes what the request names of a tenant."""
        del context
        quota = admin_wire.quota(request.quota) if request.HasField("quota") else None
        stored = await self._administration.update_tenant(request.name, quota)
        _log.info("tenant_updated", tenant_number=stored.number)
        return admin_pb2.UpdateTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def DisableTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.DisableTenantRequest, context: Context
    ) -> admin_pb2.DisableTenantResponse:
        """Has the keys of a tenant refused."""
        del context
        stored = await self._administration.disable_tenant(request.name, is_disabled=True)
        _log.info("tenant_disabled", tenant_number=stored.number)
        return admin_pb2.DisableTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def EnableTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.EnableTenantRequest, context: Context
    ) -> admin_pb2.EnableTenantResponse:
        """Takes the keys of a tenant again."""
        del context
        stored = await self._administration.disable_tenant(request.name, is_disabled=False)
        _log.info("tenant_enabled", tenant_number=stored.number)
        return admin_pb2.EnableTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def DeleteTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.DeleteTenantRequest, context: Context
    ) -> admin_pb2.DeleteTenantResponse:
        """Forgets a tenant without keys."""
        del context
        stored = await self._administration.delete_tenant(request.name)
        _log.info("tenant_deleted", tenant_number=stored.number)
        return admin_pb2.DeleteTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def CreateKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.CreateKeyRequest, context: Context
    ) -> admin_pb2.CreateKeyResponse:
        """Creates a key and shows it, once."""
        del context
        issued = await self._administration.create_key(admin_wire.order(request))
        key = issued.key
        _log.info("key_created", key_number=key.number, tenant_number=key.tenant.number)
        return admin_pb2.CreateKeyResponse(key=admin_wire.key(key, self._catalog), api_key=issued.api_key)

    async def GetKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.GetKeyRequest, context: Context
    ) -> admin_pb2.GetKeyResponse:
        """Tells of one key."""
        del context
        if request.HasField("api_key"):
            stored = await self._administration.key_of(request.api_key)
        else:
            stored = await self._administration.key(request.number)
        used = await spending_of(self._spending, stored.tenant.number, stored.number)
        return admin_pb2.GetKeyResponse(
            key=admin_wire.key(stored, self._catalog), spending=admin_wire.spending(used, self._catalog)
        )

    async def ListKeys(  # noqa: N802 - the schema's name
        self, request: admin_pb2.ListKeysRequest, context: Context
    ) -> admin_pb2.ListKeysResponse:
        """Lists keys without their secrets, all or a page of them."""
        del context
        listed = await self._administration.list_keys(request.tenant, admin_wire.page(request))
        keys, token = admin_wire.fitting(listed, request.page_size)
        return admin_pb2.ListKeysResponse(
            keys=[admin_wire.key(stored, self._catalog) for stored in keys], next_page_token=token
        )

    async def UpdateKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.UpdateKeyRequest, context: Context
    ) -> admin_pb2.UpdateKeyResponse:
        """Changes what the request names of a key."""
        del context
        stored = await self._administration.update_key(request.number, admin_wire.edit(request))
        _log.info("key_updated", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.UpdateKeyResponse(key=admin_wire.key(stored, self._catalog))

    async def RotateKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.RotateKeyRequest, context: Context
    ) -> admin_pb2.RotateKeyResponse:
        """Gives a key another secret and shows it, once."""
        del context
        issued = await self._administration.rotate_key(
            request.number, request.overlap_seconds, ends_earlier=request.ends_earlier
        )
        key = issued.key
        _log.info("key_rotated", key_number=key.number, tenant_number=key.tenant.number)
        return admin_pb2.RotateKeyResponse(key=admin_wire.key(key, self._catalog), api_key=issued.api_key)

    async def DisableKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.DisableKeyRequest, context: Context
    ) -> admin_pb2.DisableKeyResponse:
        """Has a key refused."""
        del context
        stored = await self._administration.disable_key(request.number, is_disabled=True)
        _log.info("key_disabled", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.DisableKeyResponse(key=admin_wire.key(stored, self._catalog))

    async def EnableKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.EnableKeyRequest, context: Context
    ) -> admin_pb2.EnableKeyResponse:
        """Takes a key again."""
        del context
        stored = await self._administration.disable_key(request.number, is_disabled=False)
        _log.info("key_enabled", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.EnableKeyResponse(key=admin_wire.key(stored, self._catalog))

    async def RevokeKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.RevokeKeyRequest, context: Context
    ) -> admin_pb2.RevokeKeyResponse:
        """Revokes a key at once."""
        del context
        stored = await self._administration.revoke_key(request.number)
        _log.info("key_revoked", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.RevokeKeyResponse(key=admin_wire.key(stored, self._catalog))

    async def DeleteKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.DeleteKeyRequest, context: Context
    ) -> admin_pb2.DeleteKeyResponse:
        """Forgets a key."""
        del context
        stored = await self._administration.delete_key(request.number)
        _log.info("key_deleted", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.DeleteKeyResponse(key=admin_wire.key(stored, self._catalog))

    async def GetCatalog(  # noqa: N802 - the schema's name
        self, request: admin_pb2.GetCatalogRequest, context: Context
    ) -> admin_pb2.GetCatalogResponse:
        """Tells the regions and models of the settings."""
        del context
        del request
        return admin_wire.catalog_response(self._catalog, self._region)

    async def DrainReplica(  # noqa: N802 - the schema's name
        self, request: admin_pb2.DrainReplicaRequest, context: Context
    ) -> admin_pb2.DrainReplicaResponse:
        """Sends a replica nothing new."""
        del context
        return admin_pb2.DrainReplicaResponse(replica=self._drain(request.number, is_wanted=True))

    async def UndrainReplica(  # noqa: N802 - the schema's name
        self, request: admin_pb2.UndrainReplicaRequest, context: Context
    ) -> admin_pb2.UndrainReplicaResponse:
        """Ends a drain."""
        del context
        return admin_pb2.UndrainReplicaResponse(replica=self._drain(request.number, is_wanted=False))

    def _drain(self, number: int, *, is_wanted: bool) -> admin_pb2.Replica:
        standing = self._roster.drain(number, is_wanted=is_wanted)
        _log.info("replica_drain_wanted" if is_wanted else "replica_drain_ended", replica=number)
        return admin_wire.replica(standing, self._catalog, self._clock.wall_microseconds() / 1e6)

    async def ListReplicas(  # noqa: N802 - the schema's name
        self, request: admin_pb2.ListReplicasRequest, context: Context
    ) -> admin_pb2.ListReplicasResponse:
        """Lists the registered replicas, ready or not, and what holds batch requests back."""
        del request, context
        now_seconds = self._clock.wall_microseconds() / 1e6
        standings = self._roster.standings()
        return admin_pb2.ListReplicasResponse(
            replicas=[admin_wire.replica(standing, self._catalog, now_seconds) for standing in standings],
            batch=[
                admin_wire.batch_state(model, hold, self._catalog)
                for model, hold in self._batch.holds().items()
            ],
            routers_with_own_quotas=self._roster.routers_with_own_quotas(),
        )
