"""What becomes different of a catalog, and what it then is; no number is ever given to another name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.stack.errors import StackError
from services.kernel.catalog import Catalog, FormerName

# By the key of the settings, as people call one of it.
_KINDS: Final = {"regions": "region", "models": "model"}


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """One entry that is added, changed or removed; number 0 stands for the catalog's own keys."""

    what: str
    kind: str
    number: int
    name: str
    # What is changed, by the names of the settings.
    keys: tuple[str, ...] = ()


def plan(present: Mapping[str, Any], declared: Catalog) -> list[CatalogChange]:
    """Returns what makes a catalog the declared one, by kind and number; none where it is that already.

    `present` is as its JSON has it; keys that this version does not know are nobody's to change. StackError
    where a number would be given to another name, or a name another number.
    """
    wanted = declared.model_dump(mode="json")
    changes: list[CatalogChange] = []
    for key, kind in _KINDS.items():
        _check_numbers(kind, [*present[key], *present.get(f"former_{key}", ())], wanted[key])
        changes += _of_entries(kind, _by_number(present[key]), _by_number(wanted[key]))
        gone = {former["number"] for former in present.get(f"former_{key}", ())}
        for former in wanted[f"former_{key}"]:
            if former["number"] not in gone.union(entry["number"] for entry in present[key]):
                changes.append(CatalogChange("noted", f"former {kind}", former["number"], former["name"]))
    own = {name for name in wanted if name.removeprefix("former_") not in _KINDS}
    differing = tuple(sorted(name for name in own if present.get(name) != wanted[name]))
    return [*changes, CatalogChange("changed", "catalog", 0, "", differing)] if differing else changes


def applied(present: Catalog, declared: Catalog) -> Catalog:
    """Returns the declared catalog in the order of the present one, with what is removed as former names."""
    content: dict[str, Any] = declared.model_dump()
    for key in _KINDS:
        entries, order = getattr(declared, key), [entry.number for entry in getattr(present, key)]
        ranks = {number: rank for rank, number in enumerate(order)}
        content[key] = sorted(entries, key=lambda entry: ranks.get(entry.number, len(ranks)))
        content[f"former_{key}"] = list(_former(present, declared, key))
    return Catalog.model_validate(content)


def _former(present: Catalog, declared: Catalog, key: str) -> Iterator[FormerName]:
    noted = [*getattr(present, f"former_{key}"), *getattr(declared, f"former_{key}")]
    removed = [FormerName(number=entry.number, name=entry.name) for entry in getattr(present, key)]
    # One that is there again is no former one.
    seen = {entry.number for entry in getattr(declared, key)}
    for former in (*noted, *removed):
        if former.number not in seen:
            seen.add(former.number)
            yield former


def _check_numbers(kind: str, known: list[Any], wanted: list[Any]) -> None:
    names = {entry["number"]: entry["name"] for entry in known}
    numbers = {entry["name"]: entry["number"] for entry in known}
    for entry in wanted:
        number, name = entry["number"], entry["name"]
        if names.get(number, name) != name:
            raise StackError(
                f"{kind.capitalize()} number {number} is that of {names[number]}, also when that is gone: "
                f"events and keys say the number. Give {name} one that no {kind} had: {max(names) + 1}."
            )
        if numbers.get(name, number) != number:
            raise StackError(
                f"{kind.capitalize()} {name} has number {numbers[name]}, which stays its number."
            )


def _of_entries(
    kind: str, present: Mapping[int, Mapping[str, Any]], wanted: Mapping[int, Mapping[str, Any]]
) -> Iterator[CatalogChange]:
    for number in sorted({*present, *wanted}):
        before, after = present.get(number), wanted.get(number)
        if after is None:
            yield CatalogChange("removed", kind, number, present[number]["name"])
        elif before is None:
            yield CatalogChange("added", kind, number, after["name"])
        else:
            differing = tuple(sorted(name for name in after if before.get(name) != after[name]))
            if differing:
                yield CatalogChange("changed", kind, number, after["name"], differing)


def _by_number(entries: list[Any]) -> dict[int, Any]:
    return {entry["number"]: entry for entry in entries}
