"""`comptoir --version`: what is installed here."""

import json
from typing import Annotated

import typer
from rich.console import Console

from services.cli.versions import comptoir_version, installed_versions


def options_of_all(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="With --version: one JSON object, with Python, gRPC and the engine as well."
        ),
    ] = False,
) -> None:
    """Prints versions where they are asked for; every command has its own options."""
    if version:
        said = json.dumps(installed_versions()) if as_json else f"comptoir {comptoir_version()}"
        Console().out(said, highlight=False)
        raise typer.Exit
    if as_json:
        raise typer.BadParameter(
            "--json before a command goes with --version; a command's own comes behind it."
        )
    if context.invoked_subcommand is None:
        raise typer.BadParameter("name a command; --help lists them.")
