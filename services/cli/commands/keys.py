"""`comptoir keys`: administration of API keys over the router's admin service."""

import math
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Final

import typer
from comptoir.router.v1 import admin_pb2, router_pb2
from google.protobuf.message import Message
from rich.console import Console

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import (
    REVOKED,
    Admin,
    AsJson,
    DataDir,
    MissingOk,
    ask,
    ask_unless_gone,
    print_json,
    show,
)
from services.cli.key_view import ENDPOINTS, key_table, say_limits
from services.cli.limits import (
    MONEY,
    MOST,
    Budget,
    Limit,
    LongLimit,
    is_named,
    quota_of,
    show_spending,
)
from services.cli.listing import print_list
from services.cli.operator_tls import AdminCommands

keys = AdminCommands(no_args_is_help=True, help="Create, list and change API keys.")

# A century, and a year.
_MOST_DAYS: Final = 36_500
_MOST_HOURS: Final = 8_784


class PriorityClass(Enum):
    """A scheduling class, as the command line spells it."""

    INTERACTIVE = "interactive"
    DEFAULT = "default"
    BATCH = "batch"


EndpointName = Enum("EndpointName", {name.upper(): name for name in ENDPOINTS})  # type: ignore[misc] # of a table

Number = Annotated[int, typer.Argument(min=1, max=MOST, help="The key's number, from `comptoir keys list`.")]
Days = Annotated[int | None, typer.Option(min=0, max=_MOST_DAYS, help="0 means never.")]
Models = Annotated[list[str] | None, typer.Option(help="A model it may use; repeat for more.")]
Endpoints = Annotated[
    list[EndpointName] | None, typer.Option(help="Where it may be used; repeat for more. `direct` is gRPC.")
]
Regions = Annotated[list[str] | None, typer.Option(help="A region that may serve it; repeat for more.")]
BestClass = Annotated[PriorityClass | None, typer.Option(help="The best scheduling class that it may claim.")]


@keys.command("create")
def create_key(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    tenant: Annotated[str, typer.Option(help="Name of the tenant.")] = "local",
    label: Annotated[str, typer.Option(help="A note for people.")] = "",
    model: Models = None,
    endpoint: Endpoints = None,
    region: Regions = None,
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    concurrency: Limit = None,
    tokens_per_day: LongLimit = None,
    tokens_per_month: LongLimit = None,
    money_per_month: Budget = None,
    expires_in_days: Days = None,
    defaults_for_unset: Annotated[
        bool,
        typer.Option("--defaults-for-unset", help="What is not given is the router's default."),
    ] = False,
    priority: BestClass = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Create a key and show it, once. Without models, endpoints or regions it is for all."""
    request = admin_pb2.CreateKeyRequest(
        tenant=tenant,
        label=label,
        models=model or [],
        endpoints=_endpoints(endpoint),
        regions=region or [],
        expires_at_seconds=_moment_in(expires_in_days),
        best_priority=_class(priority or PriorityClass.DEFAULT),
        defaults_for_unset=defaults_for_unset,
    )
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrency": concurrency,
        "tokens_per_day": tokens_per_day,
        "tokens_per_month": tokens_per_month,
        MONEY: money_per_month,
    }
    if defaults_for_unset and 0 in limits.values():
        raise typer.BadParameter("a limit of 0 is none: leave it out to have the router's default")
    if any(limits.values()):
        request.quota.MergeFrom(quota_of(limits))
    answer = ask(data_dir, admin, "CreateKey", request)
    said = f"Key {answer.key.number} of tenant {answer.key.tenant_name}."
    _show_secret(answer, as_json, said)
    if not as_json:
        say_limits(answer.key)


@keys.command("list")
def list_keys(
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """List keys without their secrets, a table for each 500 of them."""
    request = admin_pb2.ListKeysRequest(tenant=tenant)
    print_list(data_dir, admin, "ListKeys", request, field="keys", table=key_table, as_json=as_json)


@keys.command("show")
def show_key(
    number: Number, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Show one key without its secret, and what it used of a day's and a month's limits."""
    answer = ask(data_dir, admin, "GetKey", admin_pb2.GetKeyRequest(number=number))
    _show_keys(answer, [answer.key], as_json)
    if not as_json:
        show_spending(answer.key.quota, answer)


@keys.command("update")
def update_key(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    number: Number,
    label: Annotated[str | None, typer.Option(help="A note for people.")] = None,
    model: Models = None,
    endpoint: Endpoints = None,
    region: Regions = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Let it use every model.")] = False,
    all_endpoints: Annotated[bool, typer.Option("--all-endpoints", help="Let it be used at all.")] = False,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="Have it served wherever its tenant may be.")
    ] = False,
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    concurrency: Limit = None,
    tokens_per_day: LongLimit = None,
    tokens_per_month: LongLimit = None,
    money_per_month: Budget = None,
    expires_in_days: Days = None,
    priority: BestClass = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Change what is named of a key, from its next request on; the rest stays."""
    request = admin_pb2.UpdateKeyRequest(number=number, label=label)
    if model or all_models:
        request.models.CopyFrom(admin_pb2.ModelScope(names=model or []))
    if endpoint or all_endpoints:
        request.endpoints.CopyFrom(admin_pb2.EndpointScope(endpoints=_endpoints(endpoint)))
    if region or all_regions:
        request.regions.CopyFrom(admin_pb2.RegionScope(names=region or []))
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
        stored = ask(data_dir, admin, "GetKey", admin_pb2.GetKeyRequest(number=number)).key.quota
        request.quota.CopyFrom(quota_of(limits, stored))
    if expires_in_days is not None:
        request.expires_at_seconds = _moment_in(expires_in_days)
    if priority is not None:
        request.best_priority = _class(priority)
    answer = ask(data_dir, admin, "UpdateKey", request, REVOKED)
    _show_keys(answer, [answer.key], as_json)


@keys.command("rotate")
def rotate_key(
    number: Number,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=_MOST_HOURS, help="For how much longer the old secret is taken.")
    ] = 24,
    force: Annotated[
        bool, typer.Option("--force", help="End the secret of before the last rotation, though it is taken.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Give a key another secret and show it, once; the old one ends after the overlap.

    Refused during the overlap of the last rotation, unless the overlap is 0, which ends all old secrets.
    """
    overlap_seconds = math.ceil(overlap_hours * 3600)
    request = admin_pb2.RotateKeyRequest(number=number, overlap_seconds=overlap_seconds, ends_earlier=force)
    answer = ask(data_dir, admin, "RotateKey", request, REVOKED)
    ends = datetime.fromtimestamp(answer.key.previous_until_seconds, UTC)
    said = f"Key {number} of tenant {answer.key.tenant_name}; its old secret ends {ends:%Y-%m-%d %H:%M} UTC."
    _show_secret(answer, as_json, said)


@keys.command("disable")
def disable_key(
    number: Number, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Refuse a key until it is enabled. Safe to repeat."""
    answer = ask(data_dir, admin, "DisableKey", admin_pb2.DisableKeyRequest(number=number), REVOKED)
    show(answer, as_json, _said(answer.key, "disabled"))


@keys.command("enable")
def enable_key(
    number: Number, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Take a key again that was disabled. Safe to repeat."""
    answer = ask(data_dir, admin, "EnableKey", admin_pb2.EnableKeyRequest(number=number), REVOKED)
    show(answer, as_json, _said(answer.key, "enabled"))


@keys.command("revoke")
def revoke_key(
    number: Number, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """Refuse a key from now on, for ever. Safe to repeat."""
    answer = ask(data_dir, admin, "RevokeKey", admin_pb2.RevokeKeyRequest(number=number))
    show(answer, as_json, _said(answer.key, "revoked"))


@keys.command("delete")
def delete_key(
    number: Number,
    missing_ok: MissingOk = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Forget a key. What was counted stays until it expires; the number is never given again."""
    request = admin_pb2.DeleteKeyRequest(number=number)
    delete = ask_unless_gone if missing_ok else ask
    answer = delete(data_dir, admin, "DeleteKey", request)
    if answer is None:
        show(admin_pb2.DeleteKeyResponse(), as_json, f"There is no key {number}.")
    else:
        show(answer, as_json, _said(answer.key, "deleted"))


def _said(key: admin_pb2.Key, done: str) -> str:
    return f"Key {key.number} of tenant {key.tenant_name} is {done}."


def _show_keys(answer: Message, listed: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        Console(markup=False, emoji=False).print(key_table(listed))


def _show_secret(answer: Any, as_json: bool, said: str) -> None:
    if as_json:
        print_json(answer)
        return
    Console().out(answer.api_key, highlight=False)
    Console(stderr=True).out(f"{said} It is shown only now.", highlight=False)


def _endpoints(names: list[EndpointName] | None) -> "list[router_pb2.Endpoint.ValueType]":
    return [ENDPOINTS[name.value] for name in names or []]


def _class(priority: PriorityClass) -> "router_pb2.Priority.ValueType":
    return router_pb2.Priority.Value(f"PRIORITY_{priority.name}")


def _moment_in(days: int | None) -> int:
    return int((datetime.now(UTC) + timedelta(days=days)).timestamp()) if days else 0
