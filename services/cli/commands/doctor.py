"""`comptoir doctor`: what is wrong with a deployment, and what to do about it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.doctor.finding import Finding, Level, fail
from services.cli.examined import Examined
from services.cli.findings_view import content_of, print_findings
from services.cli.versions import installed_versions
from services.kernel.clock import SystemClock

_FAILED: Final = 1
_CANNOT_RUN: Final = 2


def doctor(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The settings file of deployed processes, in place of --data-dir."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    process: Annotated[
        list[str] | None,
        typer.Option(help="Only this process, such as edge; several are allowed. Name those that run here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at everything that a deployment needs, and say what to do where something is wrong.

    Settings by each process's own check; every address that they name, over TLS with the files that they
    name; readiness and why not; clocks; versions and the store's schema; files, their modes and how long
    certificates are good; retention in the store and in Kafka; region and transfer records; room on disks.
    Nothing is changed, and nothing secret is printed.

    Run it where the processes run, as their user. Exits with 1 where something failed, and with 2 where it
    cannot look.
    """
    try:
        names = process or []
        examined = Examined.of_stack(data_dir, names) if config is None else Examined.of_file(config, names)
    except StackError as error:
        sys.stderr.write(f"comptoir: {error}\n")
        raise typer.Exit(_CANNOT_RUN) from None
    findings = _look(examined, quiet=as_json)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(json.dumps(content_of(findings, installed_versions())), highlight=False)
    else:
        print_findings(console, findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(_FAILED)


def _look(examined: Examined, *, quiet: bool) -> list[Finding]:
    from services.cli.examination import Examination  # noqa: PLC0415 - gRPC and HTTP: no other command needs both

    errors = Console(stderr=True, quiet=quiet)
    with errors.status("Looking …") as status:

        def show(done: int, of: int) -> None:
            status.update(f"{done} of {of} questions are answered …")

        findings = asyncio.run(Examination(examined, SystemClock(), show).findings())
    if not examined.is_running:
        start = f"`comptoir up --data-dir {examined.data_dir}` starts it"
        findings.append(fail("readiness", "stack", "Nothing runs, so nothing could be asked.", start))
    return findings
