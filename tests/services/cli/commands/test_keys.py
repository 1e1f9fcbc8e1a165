"""keys and tenants: what is asked of the admin service, and what a person reads."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc, router_pb2

from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.status import STATUS, trailing_metadata
from tests.services.cli.running import Terminal

KEY = admin_pb2.Key(
    number=3,
    tenant_name="local",
    label="[/bold] note",
    models=["tiny-eu"],
    best_priority=router_pb2.PRIORITY_BATCH,
)


class Admin(admin_pb2_grpc.AdminServiceServicer):
    """Answers one key and one tenant, or refuses everything for one reason."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.refusal: ComptoirError | None = None

    def _note(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        if self.refusal is not None:
            context.set_trailing_metadata(trailing_metadata(self.refusal))
            context.abort(STATUS[self.refusal.reason], "no")

    def CreateKey(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        key = admin_pb2.Key()
        key.CopyFrom(KEY)
        key.quota.CopyFrom(request.quota)
        return admin_pb2.CreateKeyResponse(api_key="cptr_fresh", key=key)

    def ListKeys(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        return admin_pb2.ListKeysResponse(keys=[KEY])

    def RevokeKey(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        return admin_pb2.RevokeKeyResponse(key=KEY)

    def ListReplicas(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        return admin_pb2.ListReplicasResponse()

    def DrainReplica(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        raise AssertionError("a key drains nothing")

    def UndrainReplica(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        raise AssertionError("a key drains nothing")

    def CreateTenant(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        return admin_pb2.CreateTenantResponse(
            tenant=admin_pb2.Tenant(number=1, name="acme", home_region="eu-fr")
        )

    def ListTenants(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._note(request, context)
        return admin_pb2.ListTenantsResponse(
            tenants=[admin_pb2.Tenant(number=1, name="acme", home_region="eu-fr")]
        )


@pytest.fixture
def admin(paths: DataPaths) -> Iterator[Admin]:
    service = Admin()  # type: ignore[abstract] # nothing else is asked
    server = grpc.server(ThreadPoolExecutor(2))
    admin_pb2_grpc.add_AdminServiceServicer_to_server(service, server)
    server.add_insecure_port(f"unix:{paths.admin_socket}")
    server.start()
    yield service
    server.stop(0).wait()


def test_a_fresh_key_stands_alone_on_standard_output(
    terminal: Terminal, paths: DataPaths, admin: Admin
) -> None:
    said = terminal.comptoir(
        "keys",
        "create",
        "--tenant",
        "acme",
        "--model",
        "a",
        "--model",
        "b",
        "--concurrency",
        "2",
        "--data-dir",
        str(paths.root),
    )
    assert (said.status, said.out) == (0, "cptr_fresh\n")
    assert "shown only now" in said.err
    assert "Limits: 2 at once.\n" in said.err
    assert "No limit: requests/min, tokens/min, tokens/day, tokens/month, money/month" in said.err
    (request,) = admin.asked
    assert (request.tenant, list(request.models), request.quota.concurrency) == ("acme", ["a", "b"], 2)
    assert request.expires_at_seconds == 0


def test_a_key_without_limits_sends_no_quota(terminal: Terminal, paths: DataPaths, admin: Admin) -> None:
    said = terminal.comptoir(
        "keys", "create", "--json", "--expires-in-days", "1", "--data-dir", str(paths.root)
    )
    assert json.loads(said.out)["api_key"] == "cptr_fresh"
    assert not admin.asked[0].HasField("quota")
    assert admin.asked[0].expires_at_seconds > 1_700_000_000


def test_a_key_asks_for_the_defaults_beside_its_limits(
    terminal: Terminal, paths: DataPaths, admin: Admin
) -> None:
    create = ("keys", "create", "--defaults-for-unset", "--data-dir", str(paths.root))
    assert terminal.comptoir(*create, "--concurrency", "2").status == 0
    assert (admin.asked[0].defaults_for_unset, admin.asked[0].quota.concurrency) == (True, 2)
    refused = terminal.comptoir(*create, "--concurrency", "2", "--tokens-per-minute", "0")
    assert refused.status == 2
    assert "a limit of 0 is none" in refused.err
    assert len(admin.asked) == 1


@pytest.mark.parametrize("name", ["interactive", "default", "batch"])
def test_the_class_that_a_key_may_claim_is_named(
    terminal: Terminal, paths: DataPaths, admin: Admin, name: str
) -> None:
    terminal.comptoir("keys", "create", "--priority", name, "--data-dir", str(paths.root))
    assert admin.asked[0].best_priority == router_pb2.Priority.Value(f"PRIORITY_{name.upper()}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--requests-per-minute", "4294967296"),
        ("create", "--tokens-per-minute", "4294967296"),
        ("create", "--concurrency", "4294967296"),
        ("create", "--expires-in-days", "99999999999"),
        ("revoke", "4294967296"),
    ],
)
def test_a_number_that_is_too_large_is_refused_with_its_bound(
    terminal: Terminal, paths: DataPaths, admin: Admin, arguments: tuple[str, ...]
) -> None:
    said = terminal.comptoir("keys", *arguments, "--data-dir", str(paths.root))
    assert said.status == 2
    assert "equal" in said.err
    assert not admin.asked


def test_a_key_may_claim_no_more_than_default_unless_it_is_said(
    terminal: Terminal, paths: DataPaths, admin: Admin
) -> None:
    terminal.comptoir("keys", "create", "--data-dir", str(paths.root))
    assert admin.asked[0].best_priority == router_pb2.PRIORITY_DEFAULT


def test_lists_are_tables_whatever_a_label_says(terminal: Terminal, paths: DataPaths, admin: Admin) -> None:
    said = terminal.comptoir("keys", "list", "--data-dir", str(paths.root))
    assert "[/bold] note" in said.out
    assert "active" in said.out
    assert "batch" in said.out
    listed = terminal.comptoir("keys", "list", "--json", "--data-dir", str(paths.root))
    assert json.loads(listed.out)["keys"][0]["label"] == "[/bold] note"
    assert "acme" in terminal.comptoir("tenants", "list", "--data-dir", str(paths.root)).out


def test_a_key_is_revoked_by_number(terminal: Terminal, paths: DataPaths, admin: Admin) -> None:
    said = terminal.comptoir("keys", "revoke", "3", "--data-dir", str(paths.root))
    assert said.out == "Key 3 of tenant local is revoked.\n"
    assert admin.asked[0].number == 3


def test_a_tenant_is_created_at_another_router_too(
    terminal: Terminal, paths: DataPaths, admin: Admin
) -> None:
    said = terminal.comptoir("tenants", "create", "acme", "--admin", f"unix:{paths.admin_socket}")
    assert said.out == "Tenant acme has number 1, home eu-fr.\n"


@pytest.mark.parametrize("elsewhere", ["192.0.2.1:8403", "router.example:8403", "8403", "unix:here"])
def test_a_key_is_not_shown_over_a_connection_that_others_can_read(
    terminal: Terminal, elsewhere: str
) -> None:
    refusal = terminal.refusal("keys", "create", "--admin", elsewhere)
    assert refusal.startswith(
        "comptoir: --admin must be unix:/path, or host:port; beyond this machine with --ca,"
    )


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (ComptoirError(Reason.ALREADY_EXISTS), "name is taken"),
        (ComptoirError(Reason.NOT_FOUND), "no such tenant"),
        (ComptoirError(Reason.REQUEST_INVALID, field="name"), "does not accept that name"),
        (ComptoirError(Reason.INTERNAL), "INTERNAL"),
    ],
)
def test_a_refusal_is_one_sentence(
    terminal: Terminal, paths: DataPaths, admin: Admin, refusal: ComptoirError, says: str
) -> None:
    admin.refusal = refusal
    assert says in terminal.refusal("tenants", "create", "acme", "--data-dir", str(paths.root))


def test_a_router_that_is_away_is_one_sentence(terminal: Terminal, paths: DataPaths) -> None:
    assert "cannot be reached" in terminal.refusal("keys", "list", "--data-dir", str(paths.root))
