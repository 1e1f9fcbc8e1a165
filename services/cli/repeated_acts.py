"""What operators did has to be done again where tenants and keys came back from a backup: as commands."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

# By the act, the command that does it again; each is safe to repeat, also after all others.
_COMMANDS: Final = {
    "disable_tenant": "tenants disable",
    "enable_tenant": "tenants enable",
    "delete_tenant": "tenants delete --missing-ok",
    "disable_key": "keys disable",
    "enable_key": "keys enable",
    "revoke_key": "keys revoke",
    "delete_key": "keys delete --missing-ok",
    # The secret that was given up is the one that came back.
    "rotate_key": "keys disable",
}
# What the record of an act does not hold, a person has to bring.
_LEFT_TO_PEOPLE: Final = {
    "create_tenant": "was created; make it anew, and its keys",
    "create_key": "was created; make another one for its holder",
    "update_tenant": "was changed; look at its limits",
    "update_key": "was changed; look at its limits, scopes and end",
}
# After these nothing else of a key is worth doing again.
_ENDS: Final = frozenset({"revoke_key", "delete_key"})
# These leave nothing: what was done before could not be done to it by a second run of the script.
_DELETIONS: Final = frozenset({"delete_tenant", "delete_key"})
_OVER_WITH_REVOCATION: Final = frozenset({"disable_key", "enable_key", "rotate_key", "update_key"})
_ROTATED: Final = "got another secret, which is lost; give its holder a new one, then enable it"
_GIVEN_UP: Final = "was enabled; its secret is the one given up before: give its holder a new one first"
_UNKNOWN: Final = "nobody knows whether it was done"


def commands_of(acts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields lines of a shell script, for acts that are told newest first, with what is there by its name.

    A line says who by number alone: a label may hold anything, and this is run.
    """
    told = [act for act in acts if act["outcome"] != "refused" and act["number"] is not None]
    ended = {act["number"] for act in told if act["act"] in _ENDS}
    deleted = {(act["subject"], act["number"]) for act in told if act["act"] in _DELETIONS}
    rotated: set[int] = set()
    for act in reversed(told):
        # A router refuses to change a revoked key, which one may be already: the script would stop there.
        if act["act"] in _OVER_WITH_REVOCATION and act["number"] in ended:
            continue
        if act["act"] not in _DELETIONS and (act["subject"], act["number"]) in deleted:
            continue
        if act["act"] == "rotate_key":
            rotated.add(act["number"])
        yield from _lines(act, rotated)


def _lines(act: Mapping[str, Any], rotated: Collection[int]) -> Iterator[str]:
    name, about = str(act["act"]), f"# {act['at']:%Y-%m-%d %H:%M:%S} {act['subject']} {act['number']}"
    is_there = act["name"] is not None
    if name in _LEFT_TO_PEOPLE:
        # What was created before the backup is there.
        if is_there != name.startswith("create"):
            yield f"{about} {_LEFT_TO_PEOPLE[name]}"
    elif name == "enable_key" and act["number"] in rotated:
        # What was enabled then was the new secret, and what would be now is the old one.
        if is_there:
            yield f"{about} {_GIVEN_UP}"
    elif name in _COMMANDS and is_there:
        note = _ROTATED if name == "rotate_key" else name.rpartition("_")[0]
        yield f"{about} {note}" + (f"; {_UNKNOWN}" if act["outcome"] != "done" else "")
        subject = str(act["name"]) if act["subject"] == "tenant" else str(act["number"])
        yield f"comptoir {_COMMANDS[name]} {shlex.quote(subject)}"
