"""Regenerates the committed Python stubs under protos/gen, or checks with --check that they match."""

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
COMMITTED = ROOT / "gen"
# What defines the validation rules. Only those who evaluate them load it.
RULES = "buf/validate/validate.proto"
# The service by which KEDA asks how much a Deployment is to be scaled: a copy of KEDA's own file.
KEDA = "keda/externalscaler/externalscaler.proto"


def schemas() -> list[str]:
    """Returns the names of our schema files, as they import one another."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "comptoir").rglob("*.proto"))


def generate(target: Path) -> None:
    """Writes stubs and their types for every schema into `target`, or exits with protoc's error."""
    target.mkdir(parents=True, exist_ok=True)
    names = schemas()
    services = [name for name in names if "service " in (ROOT / name).read_text()]
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "schemas.binpb"
        _protoc([*_from_sources(), "--include_imports", "--include_source_info", f"-o{compiled}", *names])
        compiled.write_bytes(without_rules_import(compiled.read_bytes()))
        source = f"--descriptor_set_in={compiled}"
        _protoc([source, f"--python_out={target}", f"--mypy_out=quiet:{target}", *names])
        _protoc([source, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *services])
    _protoc([*_from_sources(), f"--python_out={target}", RULES])
    _protoc([*_from_sources(), f"--python_out={target}", f"--mypy_out=quiet:{target}", KEDA])
    _protoc([*_from_sources(), f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", KEDA])
    for package in sorted((target / "comptoir").iterdir()):
        # `comptoir` is a namespace, so each package in it says for itself that it is typed.
        (package / "py.typed").touch()


def without_rules_import(compiled: bytes) -> bytes:
    """Returns compiled schemas that state their rules and do not import what defines them.

    The options stay in the descriptors as they are, where protovalidate reads them. So a process that
    only calls Comptoir loads no `buf.validate`, and may load one of another version.
    """
    schemas_in = FileDescriptorSet.FromString(compiled)
    kept = [file for file in schemas_in.file if file.name != RULES]
    for file in kept:
        imports = [name for name in file.dependency if name != RULES]
        del file.dependency[:]
        file.dependency.extend(imports)
        for message in file.message_type:
            for field in message.field:
                # The compiler writes it out in a set; it says nothing that the name does not.
                field.ClearField("json_name")
    return FileDescriptorSet(file=kept).SerializeToString(deterministic=True)


def _from_sources() -> list[str]:
    return [f"-I{ROOT}", f"-I{resources.files('grpc_tools') / '_proto'}"]


def _protoc(arguments: list[str]) -> None:
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    status = protoc.main(["protoc", *plugins, *arguments])
    if status != 0:
        sys.exit(int(status))


def differences(fresh: Path) -> list[str]:
    """Returns relative names of files that are missing, stale or left over in the committed stubs."""
    expected = {path.relative_to(fresh) for path in _files(fresh)}
    found = {path.relative_to(COMMITTED) for path in _files(COMMITTED)}
    changed = {
        name for name in expected & found if not filecmp.cmp(fresh / name, COMMITTED / name, shallow=False)
    }
    return sorted(str(name) for name in (expected ^ found) | changed)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


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
