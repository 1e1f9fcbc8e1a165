from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.runtime.settings_table import Table


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Entry(BaseModel):
    name: Annotated[str, Field(pattern=r"^a|b$")] = Field(description="its name")


class Files(BaseModel):
    ca_file: Path = Field(description="who signed")


class Example(BaseModel):
    max_bytes: int = Field(default=2048, ge=1024, lt=9999, description="most")
    seconds: float = Field(default=0.5, gt=0, description="how long")
    is_open: bool = Field(default=False, description="a | b")
    colour: Colour = Field(default=Colour.RED, description="which")
    engine: Literal["one", "two"] = Field(default="two", description="which")
    names: dict[int, Path] = Field(min_length=1, description="n")
    none: str | None = Field(default=None, description="nothing")
    entries: tuple[Entry, ...] = Field(default=(), description="a list")
    entry: Entry = Field(default=Entry(name="a"), description="one")
    files: Files | None = Field(default=None, description="apart")


def lines(table: Table) -> list[str]:
    return list(table.lines(Example))[2:]


def test_every_key_has_its_value_bounds_default_meaning_and_variable() -> None:
    assert lines(Table("COMPTOIR_X__", apart={Files: "[files](#files)"})) == [
        "| `max_bytes` | whole number, ≥ 1,024, < 9,999 | `2048` (2 KiB) | most | `COMPTOIR_X__MAX_BYTES` |",
        "| `seconds` | number, > 0 | `0.5` | how long | `COMPTOIR_X__SECONDS` |",
        "| `is_open` | `true` or `false` | `false` | a \\| b | `COMPTOIR_X__IS_OPEN` |",
        "| `colour` | `red` or `blue` | `red` | which | `COMPTOIR_X__COLOUR` |",
        "| `engine` | `one` or `two` | `two` | which | `COMPTOIR_X__ENGINE` |",
        "| `names` | mapping of whole number to path, at least 1 long | required | n | `COMPTOIR_X__NAMES` |",
        "| `none` | text | none | nothing | `COMPTOIR_X__NONE` |",
        "| `entries` | list of mapping | none | a list | `COMPTOIR_X__ENTRIES` |",
        "| `entries[].name` | text, like `^a\\|b$` | required | its name |  |",
        "| `entry` | mapping |  | one | `COMPTOIR_X__ENTRY` |",
        "| `entry.name` | text, like `^a\\|b$` | required | its name | `COMPTOIR_X__ENTRY__NAME` |",
        "| `files` | [files](#files) | none | apart | `COMPTOIR_X__FILES` |",
    ]


def test_without_a_variable_none_is_told_and_what_is_skipped_is_not_there() -> None:
    skip = frozenset(Example.model_fields) - {"seconds", "files"}
    assert lines(Table(skip=skip)) == [
        "| `seconds` | number, > 0 | `0.5` | how long |  |",
        "| `files` | mapping | none | apart |  |",
        "| `files.ca_file` | path | required | who signed |  |",
    ]
