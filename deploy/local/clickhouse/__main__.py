"""Runs the local ClickHouse front: `python -m deploy.local.clickhouse --config FILE`."""

from deploy.local.clickhouse.adapters.engine_folder import FolderUnusableError
from deploy.local.clickhouse.process import build
from deploy.local.clickhouse.settings import SECTION, LocalClickHouseSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process(
        SECTION,
        LocalClickHouseSettings,
        build,
        description=__doc__ or "",
        failures=(FolderUnusableError,),
    )


if __name__ == "__main__":
    main()
