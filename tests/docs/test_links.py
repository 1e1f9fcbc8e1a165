import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
QUOTED = re.compile(r"`([^`\n]+)`")
# What looks like a path of this repository: a known first folder and a slash, or a file at the top.
FOLDERS = ("services/", "pipelines/", "protos/", "tests/", "docs/", "deploy/", "requirements/", ".ci/")
TOP_FILE = re.compile(r"[A-Za-z][\w-]*\.(?:md|toml)|buf\.yaml|Makefile|LICENSE")
SELECTED = re.compile(r"`(tests/[\w/]+\.py) -k (\w+|\"[\w ]+\")`")
UNCHECKED = re.compile(r"[<>*{}…\s]|NNNN|\.\.\.")


def documents() -> list[Path]:
    """Every page of the repository."""
    below = (page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))
    return sorted([*ROOT.glob("*.md"), *below])


def anchors(page: Path) -> set[str]:
    """The fragments by which a page's headings are linked."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    """Relative links of `page` whose file or heading is not there."""
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            yield link


def missing_paths(page: Path) -> Iterator[str]:
    """Paths of the repository that `page` names in backticks and that are not there."""
    for quoted in QUOTED.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if UNCHECKED.search(quoted):
            continue
        is_path = quoted.startswith(FOLDERS) or TOP_FILE.fullmatch(quoted)
        if is_path and not any((folder / quoted).exists() for folder in (ROOT, page.parent)):
            yield quoted


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", documents(), ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", documents(), ids=named)
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert list(missing_paths(page)) == []


@pytest.mark.parametrize("page", documents(), ids=named)
def test_python_examples_compile(page: Path) -> None:
    for example in PYTHON.findall(page.read_text(encoding="utf-8")):
        compile(example, named(page), "exec")


@pytest.mark.parametrize("name", ["README.md", "docs/grpc.md"])
def test_the_pages_for_newcomers_have_python_examples(name: str) -> None:
    assert PYTHON.findall((ROOT / name).read_text(encoding="utf-8"))


def test_the_readme_selects_tests_that_are_there() -> None:
    selected = SELECTED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert selected
    for name, words in selected:
        tests = re.findall(
            r"^(?:async )?def (test_\w+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
        )
        for word in words.strip('"').split(" or "):
            assert any(word in test for test in tests), f"{name} has no test of {word}"


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("text", ["[a](nowhere.md)", "`docs/nowhere.md`", "[a](#no-such-heading)"])
def test_what_leads_nowhere_is_found(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A heading\n{text}\n", encoding="utf-8")
    assert [*broken_links(page), *missing_paths(page)] != []


def test_what_leads_somewhere_is_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading: here\n[a](#a-heading-here) [b](page.md) `README.md`\n", encoding="utf-8")
    assert [*broken_links(page), *missing_paths(page)] == []
