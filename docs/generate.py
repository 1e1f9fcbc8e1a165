"""Writes the parts of the pages that follow from the code, or checks with --check that they are current."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from services.kernel.reasons import Reason
from services.kernel.rows import Retry, Row

DOCS: Final = Path(__file__).resolve().parent
_AGAIN: Final = {
    Retry.NEVER: "",
    Retry.NEW_TICKET: "with a new ticket",
    Retry.LATER: "yes",
}


def reasons() -> Iterator[str]:
    """Yields the table of the reasons, as callers of gRPC see them."""
    yield "| Reason | gRPC status | Same call later | Next ticket | Over HTTP |"
    yield "|---|---|---|---|---|"
    for reason in Reason:
        if reason:
            yield f"| `{reason.name}` | {_faces(reason.row)} |"


def _faces(row: Row) -> str:
    next_ticket = "yes" if row.may_try_next_ticket else ""
    http = f"{row.http_status} `{row.code}`"
    return " | ".join((f"`{row.grpc_status}`", _AGAIN[row.retry], next_ticket, http))


# By the name between the marks: the page, and what writes the lines between them.
PARTS: Final[dict[str, tuple[str, Callable[[], Iterator[str]]]]] = {"reasons": ("grpc.md", reasons)}


def written(page: str, name: str, lines: Iterator[str]) -> str:
    """Returns `page` with `lines` between the marks of `name`; ValueError where they do not stand once."""
    begin, end = f"<!-- {name}: written by docs/generate.py -->", f"<!-- {name}: end -->"
    part = "\n".join((begin, *lines, end))
    text, count = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: part, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the marks of {name} stand {count} times")
    return text


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page is stale")
    is_check = parser.parse_args().check
    stale = []
    for name, (file, lines) in PARTS.items():
        page = (DOCS / file).read_text(encoding="utf-8")
        fresh = written(page, name, lines())
        if fresh != page:
            stale.append(file)
            if not is_check:
                (DOCS / file).write_text(fresh, encoding="utf-8")
    if is_check and stale:
        print(f"stale: {', '.join(stale)}; run make docs, and commit the result")
    return int(is_check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
