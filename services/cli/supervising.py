"""A stack supervised by this process, which tells its start to a terminal or to the process that waits."""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import StackOptions
from deploy.local.stack.run import Observer, StackRun
from deploy.local.stack.state import StackState
from services.cli.presenter import Presenter


def supervise(options: StackOptions, environment: Mapping[str, str], presenter: Presenter) -> None:
    """Supervises a stack until it is stopped; StackError if it cannot start."""
    asyncio.run(StackRun(options, environment, _observer(presenter)).run())


def run_reporting(options: StackOptions, environment: Mapping[str, str], report_to: int) -> None:
    """Supervises a stack and reports its start on the file descriptor `report_to`."""
    run = StackRun(options, environment, _reporter(report_to))
    try:
        asyncio.run(run.run())
    except StackError as error:
        _report(report_to, {"problem": str(error)})
        raise


def _observer(presenter: Presenter) -> Observer:
    def on_ready(state: StackState, api_key: str | None) -> None:
        presenter.ready(state.to_json(), api_key)

    return Observer(presenter.step, on_ready)


def _reporter(report_to: int) -> Observer:
    def on_step(name: str, title: str, state: str) -> None:
        _report(report_to, {"name": name, "title": title, "state": state})

    def on_ready(state: StackState, api_key: str | None) -> None:
        _report(report_to, {"ready": state.to_json(), "api_key": api_key})

    return Observer(on_step, on_ready)


def _report(report_to: int, content: Mapping[str, object]) -> None:
    # The one who started us may have all it wanted, or be gone; the stack goes on.
    with contextlib.suppress(BrokenPipeError):
        os.write(report_to, (json.dumps(content) + "\n").encode())
