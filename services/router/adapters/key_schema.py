"""Makes the tables of the key store those of this version, by the revisions in `migrations`."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

# The newest revision.
HEAD: Final = "0007"
FOLDER: Final = Path(__file__).with_name("migrations")
# What the tables are that a router before Alembic wrote, by the version in its own row.
_EARLIER: Final = {1: "0001", 2: "0002"}
_LATEST_EARLIER: Final = 2


class UnknownRevisionError(Exception):
    """The tables are of a version that this one does not know."""


def migrate(connection: Connection) -> None:
    """Makes the tables those of `HEAD`, all or nothing when `connection` commits.

    Nobody else may change them meanwhile. UnknownRevisionError for tables of a later version.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        _upgrade(connection, _earlier_revision(connection) if "schema_version" in tables else None)
    elif connection.scalar(text("SELECT version_num FROM alembic_version")) != HEAD:
        _upgrade(connection, None)


def _earlier_revision(connection: Connection) -> str:
    # Without a row the tables had just been made.
    version = connection.scalar(text("SELECT version FROM schema_version")) or _LATEST_EARLIER
    if version not in _EARLIER:
        raise UnknownRevisionError
    return _EARLIER[version]


def _upgrade(connection: Connection, present: str | None) -> None:
    # It takes half a second to import, and every start but the first of a version does without.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    # The file format of its settings, in which a percent sign begins a reference.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    try:
        if present is not None:
            command.stamp(config, present)
        command.upgrade(config, "head")
    except CommandError:
        raise UnknownRevisionError from None
