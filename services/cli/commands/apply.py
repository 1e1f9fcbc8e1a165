"""`comptoir apply`: makes a router's catalog, tenants and keys those that a file declares."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.admin import Stub, call_admin
from services.cli.administering import REFUSED, Admin, AsJson, DataDir
from services.cli.applying import catalog_of, changes_of
from services.cli.catalog_plan import applied, plan
from services.cli.catalog_report import CatalogReport
from services.cli.declaration import Declaration, read_declaration
from services.cli.settings_file import SettingsFile

# What is declared is not all there yet.
_LEFT: Final = 3


def apply(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    file: Annotated[
        Path, typer.Option("--file", "-f", help="YAML that declares a catalog, tenants and keys.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The processes' settings, into which the catalog is written."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, alone.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="As --dry-run, and exit with 3 if anything would change.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Make catalog, tenants and keys those that a file declares, and print what changed. Safe to repeat.

    Exits with 3 where the router runs another catalog than is declared; tenants and keys wait for that.
    """
    work = _Work(read_declaration(file), is_dry_run=dry_run or check)
    try:
        if settings is not None:
            work.settle(SettingsFile(settings))
        work.ask(data_dir, admin, is_needed=settings is None)
    except StackError:
        # What was written is said first.
        if work.catalog.is_written:
            _show(work, as_json)
        raise
    _show(work, as_json)
    if work.is_left or (check and (work.changed or work.catalog.differs)):
        raise typer.Exit(_LEFT)


@dataclass
class _Work:
    """What is declared, what of it was different, and what was made of it."""

    declaration: Declaration
    is_dry_run: bool
    catalog: CatalogReport = field(default_factory=CatalogReport)
    changed: list[str] = field(default_factory=list)

    @property
    def is_left(self) -> bool:
        """Tells whether the router runs another catalog, for which tenants and keys wait."""
        return bool(self.catalog.of_router)

    def settle(self, settings: SettingsFile) -> None:
        """Makes the catalog of a settings file the declared one."""
        declared, self.catalog.settings_name = self.declaration.catalog, settings.name
        if declared is None:
            raise StackError("--settings is for a declared catalog, and the file declares none.")
        self.catalog.processes = settings.processes
        self.catalog.of_settings = plan(settings.catalog.model_dump(mode="json"), declared)
        settings.check(declared)
        if self.catalog.of_settings and not self.is_dry_run:
            settings.write(applied(settings.catalog, declared))
            self.catalog.is_written = True

    def ask(self, data_dir: Path, admin: str, *, is_needed: bool) -> None:
        """Compares with what a router has, and changes its tenants and keys."""
        try:
            call_admin(data_dir, admin, self._apply, REFUSED)
        except StackError as error:
            if is_needed or self.declaration.tenants:
                raise
            # Processes that do not run yet read the file when they start.
            self.catalog.unasked = str(error)

    async def _apply(self, stub: Stub) -> None:
        running = await catalog_of(stub)
        if self.declaration.catalog is not None:
            if not running.catalog_json:
                raise StackError(
                    "The router is of a version that does not tell its catalog; update it first."
                )
            self.catalog.of_router = plan(json.loads(running.catalog_json), self.declaration.catalog)
        if self.is_left:
            return
        changes = await changes_of(stub, self.declaration, running)
        for change in changes:
            if not self.is_dry_run:
                await change.act()
            self.changed.append(change.sentence)


def _show(work: _Work, as_json: bool) -> None:
    console = Console(markup=False, emoji=False)
    is_declared = work.declaration.catalog is not None
    if as_json:
        content: dict[str, object] = {"changes": work.changed, "is_dry_run": work.is_dry_run}
        if is_declared:
            content["catalog"] = work.catalog.content()
        console.out(json.dumps(content), highlight=False)
        return
    if is_declared:
        work.catalog.show(console)
    for sentence in work.changed:
        console.out(sentence, highlight=False)
    if work.is_left and work.declaration.tenants:
        console.out("Tenants and keys wait for the catalog; apply the file again then.", highlight=False)
    elif not work.changed and not work.catalog.differs:
        console.out("Nothing to change.", highlight=False)
