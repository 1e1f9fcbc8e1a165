"""Regenerates the committed Python stubs under protos/gen, or checks with --check that they match."""

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
COMMITTED = ROOT / "gen"


def sources() -> list[Path]:
    """The schema files, ours and the vendored validation rules."""
    return sorted(path for folder in ("comptoir", "buf") for path in (ROOT / folder).rglob("*.proto"))


def generate(target: Path) -> None:
    """Writes stubs and their types for every schema into `target`, or exits with protoc's error."""
    target.mkdir(parents=True, exist_ok=True)
    well_known = resources.files("grpc_tools") / "_proto"
    names = [str(path.relative_to(ROOT)) for path in sources()]
    services = [
        name for name in names if "service " in (ROOT / name).read_text() and not name.startswith("buf/")
    ]
    _protoc([f"--python_out={target}", f"--mypy_out={target}", *names], well_known)
    _protoc([f"--grpc_python_out={target}", f"--mypy_grpc_out={target}", *services], well_known)


def _protoc(arguments: list[str], well_known: object) -> None:
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    status = protoc.main(["protoc", f"-I{ROOT}", f"-I{well_known}", *plugins, *arguments])
    if status != 0:
        sys.exit(int(status))


def differences(fresh: Path) -> list[str]:
    """Relative names of files that are missing, stale or left over in the committed stubs."""
    expected = {path.relative_to(fresh) for path in fresh.rglob("*.py*")}
    found = {
        path.relative_to(COMMITTED) for path in COMMITTED.rglob("*.py*") if "__pycache__" not in path.parts
    }
    changed = {
        name for name in expected & found if not filecmp.cmp(fresh / name, COMMITTED / name, shallow=False)
    }
    return sorted(str(name) for name in (expected ^ found) | changed)


def main() -> int:
    """Runs the command line and returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the stubs do not match")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        stale = differences(fresh)
        if arguments.check:
            for name in stale:
                print(f"protos/gen/{name} does not match its schema: run `make protos`", file=sys.stderr)
            return 1 if stale else 0
        shutil.rmtree(COMMITTED, ignore_errors=True)
        shutil.copytree(fresh, COMMITTED, ignore=shutil.ignore_patterns("__pycache__"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
