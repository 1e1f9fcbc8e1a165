"""AdminService: tenants, keys and replicas, on the operators' own listener."""

from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.kernel.catalog import Catalog
from services.kernel.clock import Clock
from services.router.domain.administration import Administration, KeyOrder
from services.router.domain.roster import Roster
from services.router.wire import admin as admin_wire
from services.runtime.grpc.interceptors import Context
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class AdminServer(admin_pb2_grpc.AdminServiceServicer):
    """Answers operators."""

    def __init__(
        self, administration: Administration, roster: Roster, catalog: Catalog, clock: Clock
    ) -> None:
        self._administration = administration
        self._roster = roster
        self._catalog = catalog
        self._clock = clock

    async def CreateTenant(  # noqa: N802 - the schema's name
        self, request: admin_pb2.CreateTenantRequest, context: Context
    ) -> admin_pb2.CreateTenantResponse:
        """Creates a tenant."""
        del context
        stored = await self._administration.create_tenant(request.name, request.home_region)
        _log.info("tenant_created", tenant_number=stored.number)
        return admin_pb2.CreateTenantResponse(tenant=admin_wire.tenant(stored, self._catalog))

    async def ListTenants(  # noqa: N802 - the schema's name
        self, request: admin_pb2.ListTenantsRequest, context: Context
    ) -> admin_pb2.ListTenantsResponse:
        """Lists all tenants."""
        del request, context
        tenants = await self._administration.list_tenants()
        return admin_pb2.ListTenantsResponse(
            tenants=[admin_wire.tenant(stored, self._catalog) for stored in tenants]
        )

    async def CreateKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.CreateKeyRequest, context: Context
    ) -> admin_pb2.CreateKeyResponse:
        """Creates a key and shows it, once."""
        del context
        issued = await self._administration.create_key(
            KeyOrder(
                tenant_name=request.tenant,
                label=request.label,
                model_names=list(request.models),
                quota=admin_wire.quota(request.quota) if request.HasField("quota") else None,
                expires_at_seconds=request.expires_at_seconds,
                best_priority=admin_wire.priority(request.best_priority),
            )
        )
        key = issued.key
        _log.info("key_created", key_number=key.number, tenant_number=key.tenant.number)
        return admin_pb2.CreateKeyResponse(key=admin_wire.key(key, self._catalog), api_key=issued.api_key)

    async def ListKeys(  # noqa: N802 - the schema's name
        self, request: admin_pb2.ListKeysRequest, context: Context
    ) -> admin_pb2.ListKeysResponse:
        """Lists keys without their secrets."""
        del context
        keys = await self._administration.list_keys(request.tenant)
        return admin_pb2.ListKeysResponse(keys=[admin_wire.key(stored, self._catalog) for stored in keys])

    async def RevokeKey(  # noqa: N802 - the schema's name
        self, request: admin_pb2.RevokeKeyRequest, context: Context
    ) -> admin_pb2.RevokeKeyResponse:
        """Revokes a key at once."""
        del context
        stored = await self._administration.revoke_key(request.number)
        _log.info("key_revoked", key_number=stored.number, tenant_number=stored.tenant.number)
        return admin_pb2.RevokeKeyResponse(key=admin_wire.key(stored, self._catalog))

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
        """Lists the registered replicas, ready or not."""
        del request, context
        now_seconds = self._clock.wall_microseconds() / 1e6
        standings = self._roster.standings()
        return admin_pb2.ListReplicasResponse(
            replicas=[admin_wire.replica(standing, self._catalog, now_seconds) for standing in standings]
        )
