"""Runs the emitter: `python -m services.emitter --config FILE`."""

from services.emitter.adapters.spool.starting import SpoolUnusableError
from services.emitter.process import build
from services.emitter.settings import EmitterSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process("emitter", EmitterSettings, build, description=__doc__ or "", failures=(SpoolUnusableError,))


if __name__ == "__main__":
    main()
