"""`comptoir tenants`: administration of tenants over the router's admin service."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from comptoir.router.v1 import admin_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import (
    Admin,
    AsJson,
    DataDir,
    MissingOk,
    ask,
    ask_unless_gone,
    day,
    print_json,
    show,
)
from services.cli.limits import (
    MONEY,
    Budget,
    Limit,
    LongLimit,
    is_named,
    limits_of,
    quota_of,
    show_spending,
)
from services.cli.listing import print_list
from services.cli.operator_tls import AdminCommands

tenants = AdminCommands(no_args_is_help=True, help="Create, list and change tenants.")

Name = Annotated[str, typer.Argument(help="The tenant's name, from `comptoir tenants list`.")]


@tenants.command("create")
def create_tenant(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    home_region: Annotated[str, typer.Option(help="The router's own region if left out.")] = "",
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    concurrency: Limit = None,
    tokens_per_day: LongLimit = None,
    tokens_per_month: LongLimit = None,
    money_per_month: Budget = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Create a tenant. Its limits are of all its keys together."""
    request = admin_pb2.CreateTenantRequest(name=name, home_region=home_region)
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrency": concurrency,
        "tokens_per_day": tokens_per_day,
        "tokens_per_month": tokens_per_month,
        MONEY: money_per_month,
    }
    if is_named(limits):
        request.quota.CopyFrom(quota_of(limits))
    answer = ask(data_dir, admin, "CreateTenant", request)
    tenant = answer.tenant
    said = f"Tenant {tenant.name} has number {tenant.number}, home {tenant.home_region}."
    show(answer, as_json, said)


@tenants.command("update")
def update_tenant(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    name: Name,
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    concurrency: Limit = None,
    tokens_per_day: LongLimit = None,
    tokens_per_month: LongLimit = None,
    money_per_month: Budget = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Change what is named of what all keys of a tenant may use together; the rest stays."""
    request = admin_pb2.UpdateTenantRequest(name=name)
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrency": concurrency,
        "tokens_per_day": tokens_per_day,
        "tokens_per_month": tokens_per_month,
        MONEY: money_per_month,
    }
    if is_named(limits):
        # The router takes a quota whole.
        stored = ask(data_dir, admin, "GetTenant", admin_pb2.GetTenantRequest(name=name)).tenant.quota
        request.quota.CopyFrom(quota_of(limits, stored))
    answer = ask(data_dir, admin, "UpdateTenant", request)
    _show_tenant(answer, as_json)


@tenants.command("list")
def list_tenants(data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False) -> None:
    """List tenants, a table for each 500 of them."""
    request = admin_pb2.ListTenantsRequest()
    print_list(data_dir, admin, "ListTenants", request, field="tenants", table=_table, as_json=as_json)


@tenants.command("show")
def show_tenant(
    name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Show one tenant and what it used; `comptoir keys list --tenant` lists its keys."""
    answer = ask(data_dir, admin, "GetTenant", admin_pb2.GetTenantRequest(name=name))
    _show_tenant(answer, as_json)
    if not as_json:
        show_spending(answer.tenant.quota, answer)


@tenants.command("disable")
def disable_tenant(
    name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Refuse all keys of a tenant until it is enabled. Safe to repeat."""
    answer = ask(data_dir, admin, "DisableTenant", admin_pb2.DisableTenantRequest(name=name))
    show(answer, as_json, f"Tenant {name} is disabled: its keys are refused.")


@tenants.command("enable")
def enable_tenant(
    name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Take the keys of a tenant again. Safe to repeat."""
    answer = ask(data_dir, admin, "EnableTenant", admin_pb2.EnableTenantRequest(name=name))
    show(answer, as_json, f"Tenant {name} is enabled.")


@tenants.command("delete")
def delete_tenant(
    name: Name,
    missing_ok: MissingOk = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Forget a tenant without keys. What was counted stays until it expires."""
    request = admin_pb2.DeleteTenantRequest(name=name)
    delete = ask_unless_gone if missing_ok else ask
    answer = delete(data_dir, admin, "DeleteTenant", request)
    if answer is None:
        show(admin_pb2.DeleteTenantResponse(), as_json, f"There is no tenant {name}.")
        return
    show(answer, as_json, f"Tenant {name} is deleted; its number {answer.tenant.number} is not given again.")


def _show_tenant(answer: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        Console(markup=False, emoji=False).print(_table([answer.tenant]))


def _table(tenants: Iterable[admin_pb2.Tenant]) -> Table:
    table = Table(show_lines=True)
    table.add_column("number", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("home", no_wrap=True)
    table.add_column("limits", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for tenant in tenants:
        state = "disabled" if tenant.is_disabled else "active"
        limits = "\n".join(limits_of(tenant.quota, tenant.currency)) or "no limit"
        standing = f"{state}\nfrom {day(tenant.created_at_seconds)}"
        table.add_row(str(tenant.number), tenant.name, tenant.home_region, limits, standing)
    return table
