"""A run by marks reads the files that may have some, and no other."""

from pathlib import Path

import pytest

from tests.marks import lacks, refuse_hidden, wanted


@pytest.mark.parametrize(
    ("expression", "marks"),
    [
        ("system and not alone", {"system"}),
        ("alone and not vllm and not large", {"alone"}),
        ("vllm", {"vllm"}),
        ("not system and not vllm", set()),
        ("system or vllm", set()),
        ("system and (alone or vllm)", set()),
        ("system and slow", {"system"}),
        ("", set()),
    ],
)
def test_what_every_chosen_test_has_is_read_off_a_plain_expression(expression: str, marks: set[str]) -> None:
    assert wanted(expression) == marks


def test_a_file_that_does_not_name_a_mark_has_no_test_of_it(tmp_path: Path) -> None:
    marked, plain, beside = (tmp_path / name for name in ("test_a.py", "test_b.py", "conftest.py"))
    marked.write_text("pytestmark = [pytest.mark.system, pytest.mark.alone]\n")
    plain.write_text("def test_it() -> None: ...\n")
    beside.write_text("params=[pytest.param(marks=pytest.mark.large)]\n")
    assert not lacks(marked, {"system"})
    assert not lacks(marked, {"system", "alone"})
    assert lacks(marked, {"vllm"})
    assert lacks(plain, {"system"})
    assert not lacks(plain, set())
    # A parameter of a fixture may be marked.
    assert not lacks(plain, {"large"})
    # Only files of tests are left out.
    assert not lacks(beside, {"system"})


def test_a_mark_that_its_file_does_not_name_is_refused_where_all_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "test_a.py"
    file.write_text("pytestmark = pytest.mark.system\n")
    refuse_hidden([(file, ["system", "parametrize"]), (file, [])])
    with pytest.raises(pytest.UsageError, match=r"test_a\.py"):
        refuse_hidden([(file, ["system", "alone"])])
