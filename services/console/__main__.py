"""Runs the console: `python -m services.console --config FILE`."""

from services.console.process import build
from services.console.settings import ConsoleSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process("console", ConsoleSettings, build, description=__doc__ or "")


if __name__ == "__main__":
    main()
