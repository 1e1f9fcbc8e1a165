"""Writes the dashboards beside this module; with `--check` it only says which are not what the code says."""

import json
import sys
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.dashboards import capacity, pipeline, slo, usage

FOLDER: Final = Path(__file__).parent / "grafana"


def documents() -> dict[Path, str]:
    """Returns the content of each file."""
    built = [module.build() for module in (slo, capacity, usage, pipeline)]
    return {
        FOLDER / f"{each.uid}.json": json.dumps(each, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for each in built
    }


def stale() -> list[Path]:
    """Returns the files that differ from what the code says, or that it does not know."""
    wanted = documents()
    found = {path: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))


def main(arguments: list[str]) -> int:
    """Writes, or checks; returns the exit status."""
    if arguments == ["--check"]:
        for path in stale():
            sys.stderr.write(f"{path.name} is not what the code says: run `make dashboards`.\n")
        return int(bool(stale()))
    FOLDER.mkdir(exist_ok=True)
    for path in stale():
        content = documents().get(path)
        path.unlink() if content is None else path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
