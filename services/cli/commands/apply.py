"""`comptoir apply`: makes a router's tenants and keys those that a file declares."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.admin import Stub, call_admin
from services.cli.administering import REFUSED, Admin, AsJson, DataDir
from services.cli.applying import changes_of
from services.cli.declaration import Declaration, read_declaration


def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML that declares tenants and keys.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, alone.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Make tenants and keys those that a file declares, and print what changed. Safe to repeat."""
    declaration = read_declaration(file)

    async def work(stub: Stub) -> list[str]:
        return await _applied(stub, declaration, is_dry_run=dry_run)

    changed = call_admin(data_dir, admin, work, REFUSED)
    if as_json:
        Console().out(json.dumps({"changes": changed, "is_dry_run": dry_run}), highlight=False)
        return
    for sentence in changed:
        Console().out(sentence, highlight=False)
    if not changed:
        Console().out("Nothing to change.", highlight=False)


async def _applied(stub: Stub, declaration: Declaration, *, is_dry_run: bool) -> list[str]:
    changes = await changes_of(stub, declaration)
    for change in changes if not is_dry_run else ():
        await change.act()
    return [change.sentence for change in changes]
