"""`comptoir tenants`: administration of tenants over the router's admin service."""

from typing import Annotated, Any

import typer
from comptoir.router.v1 import admin_pb2
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import Admin, AsJson, DataDir, ask, ask_for_all, day, print_json, show

tenants = typer.Typer(no_args_is_help=True, help="Create, list and change tenants.")

Name = Annotated[str, typer.Argument(help="The tenant's name, from `comptoir tenants list`.")]


@tenants.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    home_region: Annotated[str, typer.Option(help="The router's own region if left out.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Create a tenant."""
    request = admin_pb2.CreateTenantRequest(name=name, home_region=home_region)
    answer = ask(data_dir, admin, "CreateTenant", request)
    tenant = answer.tenant
    said = f"Tenant {tenant.name} has number {tenant.number}, home {tenant.home_region}."
    show(answer, as_json, said)


@tenants.command("list")
def list_tenants(data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False) -> None:
    """List tenants."""
    answer = ask_for_all(data_dir, admin, "ListTenants", admin_pb2.ListTenantsRequest())
    _show_tenants(answer, answer.tenants, as_json)


@tenants.command("show")
def show_tenant(
    name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Show one tenant; `comptoir keys list --tenant` lists its keys."""
    answer = ask(data_dir, admin, "GetTenant", admin_pb2.GetTenantRequest(name=name))
    _show_tenants(answer, [answer.tenant], as_json)


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
    name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Forget a tenant without keys. What was counted stays until it expires."""
    answer = ask(data_dir, admin, "DeleteTenant", admin_pb2.DeleteTenantRequest(name=name))
    show(answer, as_json, f"Tenant {name} is deleted; its number {answer.tenant.number} is not given again.")


def _show_tenants(answer: Message, listed: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    table = Table("number", "name", "home region", "created", "state")
    for tenant in listed:
        state = "disabled" if tenant.is_disabled else "active"
        created = day(tenant.created_at_seconds)
        table.add_row(str(tenant.number), tenant.name, tenant.home_region, created, state)
    Console(markup=False, emoji=False).print(table)
