"""Runs the local ClickHouse front: `python -m deploy.local.clickhouse --config FILE`."""

import sys

import uvloop

from deploy.local.clickhouse.adapters.engine_folder import EngineFolder, FolderInUseError
from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.process import open_engine, serve
from deploy.local.clickhouse.server.listener import AddressTakenError
from deploy.local.clickhouse.settings import SECTION, LocalClickHouseSettings
from services.runtime import logs
from services.runtime.grpc.server import stop_event
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line


async def _run(settings: LocalClickHouseSettings) -> None:
    writer, stopped = settings.writer(), stop_event()
    folder = EngineFolder(settings.data_folder)
    try:
        engine = open_engine(settings, folder)
        try:
            await serve(settings, engine, writer, stopped)
        finally:
            engine.close()
    finally:
        folder.release()


def main() -> None:
    """Exits with 0 after a drain, 2 for unusable settings, 1 if the folder or the address is not free."""
    settings = from_command_line(LocalClickHouseSettings, section=SECTION, description=__doc__ or "")
    keep_private()
    logs.configure("local-clickhouse", settings.log_level)
    try:
        uvloop.run(_run(settings))
    except SettingsError as error:
        _leave(str(error), 2)
    except FolderInUseError:
        _leave("another process uses this data folder; stop it or set another.", 1)
    except AddressTakenError:
        _leave(f"the address {settings.listen} is taken; stop what listens there or set another.", 1)
    except (StoreError, OSError) as error:
        _leave(f"the engine cannot open its folder ({type(error).__name__}).", 1)


def _leave(sentence: str, status: int) -> None:
    sys.stderr.write(f"comptoir {SECTION}: {sentence}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
