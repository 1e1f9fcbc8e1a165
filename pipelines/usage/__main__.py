"""Runs the usage pipeline: `python -m pipelines.usage --config FILE`."""

from pipelines.usage.domain.errors import SchemaError
from pipelines.usage.process import build
from pipelines.usage.settings import UsageSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process("usage", UsageSettings, build, description=__doc__ or "", failures=(SchemaError,))


if __name__ == "__main__":
    main()
