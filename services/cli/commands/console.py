"""`comptoir console`: a link to the console of a stack, or the console of a deployment, served from here."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import is_running, missing_state, read_state
from services.cli.console_link import console_url, link_of, sign_in_link
from services.runtime.settings import environment, read_section
from services.runtime.settings_error import SettingsError

_SECTION = "console"


def console(
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Serve the console of this settings file until Ctrl-C, instead of a stack's."
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option("--link", help="With --config, only print a link for a console that runs elsewhere."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Open the page that shows health, replicas, latency, usage and completeness.

    Prints a link that signs in once, within ten minutes.
    """
    if config is None:
        _say(_link_of_stack(data_dir), as_json=as_json)
        return
    try:
        section = read_section(_SECTION, config, environment())
    except SettingsError as error:
        raise StackError(str(error)) from None
    url = console_url(section)
    secret_file = section.get("secret_file")
    found = sign_in_link(url, Path(str(secret_file)), time.time_ns() / 1e9) if secret_file else url
    _say(found, as_json=as_json)
    if not link:
        _serve(config)


def _link_of_stack(data_dir: Path) -> str:
    paths = DataPaths(data_dir.resolve())
    state = read_state(paths)
    if state is None or not is_running(paths):
        raise missing_state(paths.root)
    link = link_of(state, time.time_ns() / 1e9)
    if not link:
        raise StackError("The stack runs without a console; start it without --no-console.")
    return link


def _say(link: str, *, as_json: bool) -> None:
    Console(soft_wrap=True).out(json.dumps({"link": link}) if as_json else link, highlight=False)
    sys.stdout.flush()


def _serve(config: Path) -> NoReturn:
    """Becomes the process itself: signals and its exit status are then its own."""
    arguments = [sys.executable, "-m", "services.console", "--config", str(config)]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own program, without a shell
