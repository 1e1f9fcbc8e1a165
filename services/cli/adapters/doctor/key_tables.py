"""Which revision the tables of tenants and keys are of in PostgreSQL, asked as the router would."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from services.cli.adapters.doctor.network import SECONDS

# Of the name of a revision's module, which begins with an r.
_DIGITS: Final = slice(1, 5)
_QUESTION: Final = "SELECT version_num FROM alembic_version"


class NoDriverError(Exception):
    """PostgreSQL's client is not installed here: it comes with the router."""


class KeysAwayError(Exception):
    """The server refused or did not answer; its words are not repeated."""


def revision_of(url: str, password_file: str | None) -> str | None:
    """Returns the revision of the tables, None where there are none; NoDriverError, KeysAwayError."""
    try:
        import psycopg  # noqa: PLC0415 - see NoDriverError
    except ImportError:
        raise NoDriverError from None
    scheme, _, rest = url.partition("://")
    more: dict[str, Any] = {
        "connect_timeout": int(SECONDS),
        "options": f"-c statement_timeout={int(1000 * SECONDS)}",
    }
    try:
        if password_file:
            more["password"] = Path(password_file).read_text(encoding="utf-8").strip()
        with psycopg.connect(f"{scheme.partition('+')[0]}://{rest}", **more) as connection:
            row = connection.execute(_QUESTION).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except (psycopg.Error, OSError):
        raise KeysAwayError from None
    return None if row is None else str(row[0])


def newest_revision() -> str:
    """Returns the last revision that the routers of this version know."""
    folder = files("services.router").joinpath("adapters", "migrations", "versions")
    return max(entry.name[_DIGITS] for entry in folder.iterdir() if entry.name.startswith("r0"))
