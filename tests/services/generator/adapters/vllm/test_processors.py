"""What vLLM is told of the machine's processors, without a program that says it."""

from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.vllm.environment import quiet_import, set_environment

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """vLLM, imported as the generator does."""
    set_environment(is_download_allowed=False, cpu_threads=1)
    with quiet_import():
        told()


def told() -> ModuleType:
    from services.generator.adapters.vllm import processors  # noqa: PLC0415

    return processors


def machine(folder: Path, *, online: str, siblings: dict[int, str], nodes: dict[int, str]) -> Path:
    (folder / "cpu").mkdir(parents=True)
    (folder / "cpu" / "online").write_text(f"{online}\n")
    for number, shared in siblings.items():
        topology = folder / "cpu" / f"cpu{number}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{shared}\n")
    for number, processors in nodes.items():
        (folder / "node" / f"node{number}").mkdir(parents=True)
        (folder / "node" / f"node{number}" / "cpulist").write_text(f"{processors}\n")
    return folder


def test_two_threads_of_a_core_have_its_number_and_each_has_its_memory(tmp_path: Path) -> None:
    system = machine(
        tmp_path / "system",
        online="0-3,6-7",
        siblings={0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3", 6: "6-7", 7: "6-7"},
        nodes={0: "0-3", 1: "4-7", 2: ""},
    )
    assert told().online_processors(system) == [
        (0, 0, 0),
        (1, 1, 0),
        (2, 0, 0),
        (3, 1, 0),
        (6, 2, 1),
        (7, 2, 1),
    ]


def test_without_a_topology_each_is_a_core_beside_one_memory(tmp_path: Path) -> None:
    system = machine(tmp_path / "system", online="0-1", siblings={}, nodes={})
    assert told().online_processors(system) == [(0, 0, 0), (1, 1, 0)]


@given(st.sets(st.integers(0, 4_000), min_size=1))
def test_ranges_of_the_kernel_are_read_whole(numbers: set[int]) -> None:
    written = ",".join(f"{it}-{it + 1}" if it + 1 in numbers else str(it) for it in sorted(numbers))
    assert set(told()._numbers(f"{written}\n")) == numbers


def test_vllm_hears_of_this_machine_what_its_own_question_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.utils import cpu_resource_utils  # noqa: PLC0415

    asked = cpu_resource_utils.get_allowed_cpu_list()
    monkeypatch.setattr(cpu_resource_utils, "_get_cpu_list", cpu_resource_utils._get_cpu_list)
    told().tell_processors()
    # Whatever would be started now is not there.
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cpu_resource_utils.get_allowed_cpu_list() == asked
