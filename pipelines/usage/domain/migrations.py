"""Numbered SQL files: how they are read, which are due, and when to refuse to go on."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Final

from pipelines.usage.domain.errors import SchemaError

_FILE_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: a number, and statements that are safe to run again."""

    number: int
    text: str

    @classmethod
    def read(cls, file_name: str, text: str) -> "Migration":
        """Returns the migration in a file; SchemaError if the name is not `0001_name.sql`."""
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise SchemaError(f"the schema file {file_name} must be named like 0001_name.sql.")
        return cls(int(match[1]), text)

    @property
    def checksum(self) -> str:
        """SHA-256 of the file as it stands, before parameters are filled in."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Returns the statements with `${name}` filled in; one ends with a semicolon at the end of a line."""
        lines = [line for line in self.text.splitlines() if not line.lstrip().startswith("--")]
        filled = Template("\n".join(lines) + "\n").substitute(parameters)
        return tuple(part.strip() for part in filled.split(";\n") if part.strip())


def due(migrations: Iterable[Migration], applied: Mapping[int, str]) -> tuple[Migration, ...]:
    """Returns the migrations that the store lacks, in order; `applied` maps number to checksum.

    SchemaError if an applied file was changed, if numbers have gaps, or if the store is ahead of this build.
    """
    ordered = sorted(migrations, key=lambda migration: migration.number)
    numbers = [migration.number for migration in ordered]
    if numbers != list(range(1, len(numbers) + 1)):
        raise SchemaError("the schema files must be numbered from 0001 without gaps.")
    if applied and max(applied) > len(numbers):
        raise SchemaError("the store's schema is newer than this build; start a newer build.")
    for migration in ordered:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise SchemaError(
                f"schema file {migration.number:04d} was changed after it was applied; add a new file."
            )
    return tuple(migration for migration in ordered if migration.number not in applied)
