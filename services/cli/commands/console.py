"""`comptoir console`: a link to the console of a stack, or the console of a deployment, served from here."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import is_running, missing_state, read_state
from services.cli.console_link import link_of, link_of_section, url_of
from services.runtime.settings import environment, read_section
from services.runtime.settings_error import SettingsError

_SECTION: Final = "console"
# A console that was asked for a moment ago may be starting, on a slow machine.
_START_SECONDS: Final = 60.0
_LAST_PORT: Final = 65_535


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
    if link:
        _say(link_of_section(section), as_json=as_json)
        return
    url = url_of(section)
    _check_is_free(section["listen"])
    if not section.get("secret_file"):
        _say(url, as_json=as_json)
    elif not as_json:
        _say_once_it_answers(config)
    else:
        raise StackError("A link is made for a console that runs: ask with --link --json beside it.")
    _serve(config)


def _link_of_stack(data_dir: Path) -> str:
    paths = DataPaths(data_dir.resolve())
    state = read_state(paths)
    if state is None or not is_running(paths):
        raise missing_state(paths.root)
    link = link_of(state, wait_seconds=_START_SECONDS)
    if not link:
        raise StackError("The stack runs without a console; start it without --no-console.")
    return link


def _say(link: str, *, as_json: bool) -> None:
    Console(soft_wrap=True).out(json.dumps({"link": link}) if as_json else link, highlight=False)
    sys.stdout.flush()


def _check_is_free(listen: Mapping[str, Any]) -> None:
    """Raises StackError where another listens: a link would be made for that one, with a wrong secret."""
    host, port = str(listen.get("host", "127.0.0.1")), listen.get("port")
    if not isinstance(port, int) or not 0 <= port <= _LAST_PORT:
        return  # the process itself says what is wrong with it
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                raise StackError(
                    f"The address {host}:{port} of console.listen is taken. Where this console runs there, "
                    "add --link for a link to it; else stop what listens there, or set another port."
                ) from None


def _say_once_it_answers(config: Path) -> None:
    """Starts what prints the link when there is a run to make it for; nobody has to wait for its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    arguments = [sys.executable, "-m", "services.runtime.sign_in_link", "--config", str(config)]
    subprocess.Popen([*arguments, f"--wait-seconds={_START_SECONDS}"])  # noqa: S603 - our own program


def _serve(config: Path) -> NoReturn:
    """Becomes the process itself: signals and its exit status are then its own."""
    arguments = [sys.executable, "-m", "services.console", "--config", str(config)]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own program, without a shell
