"""Runs the router: `python -m services.router --config FILE`."""

from services.router.process import build
from services.router.settings import RouterSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process("router", RouterSettings, build, description=__doc__ or "")


if __name__ == "__main__":
    main()
