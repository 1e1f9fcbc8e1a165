"""The shape of the code: sizes, mirrors, opening sentences, names, and what no tracked file may hold."""

import ast
import functools
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MAX_LINES = 300
# Spelt in pieces, so that this file does not hold what it looks for.
FORBIDDEN_IN_NAMES = {
    "man" + "ager",
    "hel" + "per",
    "ut" + "il",
    "com" + "mon",
    "mi" + "sc",
    "ba" + "se",
    "in" + "fo",
}
# What the official SDK calls it, an RPC of gRPC's own, and what servers of models call theirs.
WORDS_OF_OTHERS = {"ba" + "se_url", "ServerReflectionIn" + "fo", "GetModelIn" + "fo"}
FORBIDDEN_HOSTS = [
    "py" + "pi.org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "repo1.mav" + "en.org",
    "repo.maven." + "apache.org",
    "proxy." + "golang.org",
    "deb.deb" + "ian.org",
    "docker" + ".io/",
    "gh" + "cr.io",
]
MACHINE_PATH = re.compile(
    r"(?<![\w.~})-])/(?:"
    + "|".join(["ho" + "me/[a-z]", "Us" + "ers/", "wo" + "rk/", "ro" + "ot/", "tmp/scr" + "atch"])
    + ")"
)
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".proto",
    ".sql",
    ".txt",
    ".sh",
    ".mjs",
    ".js",
    "",
}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],  # noqa: S607 - the git on the PATH
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def modules() -> list[Path]:
    return tracked("services/*.py", "pipelines/*.py", "deploy/local/*.py", "protos/client/*.py")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    read = [*modules(), *tracked("tests/*.py", "docs/*.py")]
    too_long = [shown(path) for path in read if len(path.read_text().splitlines()) > MAX_LINES]
    assert too_long == []


def test_every_module_opens_with_a_sentence() -> None:
    silent = [shown(path) for path in modules() if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_every_domain_module_has_its_tests() -> None:
    # Ports are held by tests/contracts; an error list has nothing to run.
    domain = [path for path in modules() if "domain" in path.parent.relative_to(REPOSITORY).parts]
    tested = [path for path in domain if path.name not in {"__init__.py", "ports.py", "errors.py"}]
    missing = [
        shown(path)
        for path in tested
        if not (REPOSITORY / "tests" / path.relative_to(REPOSITORY).parent / f"test_{path.name}").exists()
    ]
    assert missing == []


def test_no_module_class_or_function_is_named_after_nothing() -> None:
    found = []
    for path in modules():
        names = [path.stem, path.parent.name]
        names += [
            node.name
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        spoken = [name for name in names if name not in WORDS_OF_OTHERS]
        found += [f"{shown(path)}: {name}" for name in spoken if words(name) & FORBIDDEN_IN_NAMES]
    assert found == []


def words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name, in lower case and in the singular."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")
    return {part.removesuffix("s") for part in parts} | set(parts)


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT_SUFFIXES:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{shown(path)}: {host}" for host in FORBIDDEN_HOSTS if host in text]
        found += [f"{shown(path)}: {match.group()}" for match in MACHINE_PATH.finditer(text)]
    assert found == []
