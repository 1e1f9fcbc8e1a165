"""Runs the edge: `python -m services.edge --config FILE`."""

from services.edge.process import build
from services.edge.settings import EdgeSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process("edge", EdgeSettings, build, description=__doc__ or "")


if __name__ == "__main__":
    main()
