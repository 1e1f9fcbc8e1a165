"""A stack in the background: this process starts its supervisor and waits for what that reports."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from deploy.local.stack.errors import StackError
from deploy.local.stack.log_files import open_log
from deploy.local.stack.options import StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.preconditions import prepare_folder
from services.cli.presenter import Presenter


def run_detached(options: StackOptions, config: Path | None, presenter: Presenter) -> None:
    """Starts a supervisor in a session of its own and returns once everything runs; StackError otherwise."""
    paths = DataPaths(options.data_dir)
    prepare_folder(paths)
    reader, writer = os.pipe()
    supervisor = _start_supervisor(_arguments(options, config), paths, writer)
    try:
        with os.fdopen(reader, encoding="utf-8") as reports:
            _follow(reports, presenter)
    except BaseException:
        # It could not start, or the person changed their mind: either way nothing is left.
        supervisor.terminate()
        supervisor.wait()
        raise
    # It lives on without us.
    supervisor.returncode = 0


def _start_supervisor(arguments: list[str], paths: DataPaths, report_to: int) -> "subprocess.Popen[bytes]":
    with open_log(paths.logs / "supervisor.log") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "services.cli", "up", *arguments, "--report-to", str(report_to)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(report_to,),
            start_new_session=True,
        )
    os.close(report_to)
    return supervisor


def _follow(reports: IO[str], presenter: Presenter) -> None:
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "problem" in report:
            raise StackError(str(report["problem"]))
        if "ready" in report:
            presenter.ready(report["ready"], report["api_key"])
            return
        presenter.step(report["name"], report["title"], report["state"])
    raise StackError(
        "The supervisor ended before everything ran; its log is logs/supervisor.log in the data folder."
    )


def _arguments(options: StackOptions, config: Path | None) -> list[str]:
    arguments = [
        f"--data-dir={options.data_dir}",
        f"--port={options.port}",
        *(f"--model={model}" for model in (options.model, *options.further_models)),
        f"--replicas={options.replicas}",
        f"--routers={options.routers}",
        f"--engine={options.engine}",
        f"--kafka={options.kafka}",
        f"--clickhouse={options.clickhouse}",
        "--embeddings" if options.embedding_model else "--no-embeddings",
        "--console" if options.console else "--no-console",
    ]
    return arguments if config is None else [*arguments, f"--config={config.resolve()}"]
