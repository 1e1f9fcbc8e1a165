"""What a process shows of itself."""

from importlib.metadata import version

from services.runtime.metrics.process_state import ShownState, show_build, show_state
from tests.services.runtime.metrics.collecting import collected


def test_the_build_is_told_by_version_process_and_region() -> None:
    with collected() as shown:
        show_build("router", "eu-fr")
        build = {"version": version("comptoir"), "process": "router", "comptoir.region": "eu-fr"}
        assert shown.value("comptoir.build.info", **build) == 1


def test_a_process_is_ready_or_there_is_one_reason() -> None:
    why = "STORE_AWAY"
    with collected() as shown:
        show_state(lambda: why)
        assert shown.value("comptoir.process.ready") == 0
        assert shown.value("comptoir.process.draining") == 0
        assert shown.value("comptoir.process.unready", reason="STORE_AWAY") == 1
        why = ""
        assert shown.value("comptoir.process.ready") == 1
        assert not [name for name, _ in shown.series() if name == "comptoir.process.unready"]


def test_a_process_starts_and_once_it_drains_says_nothing_else() -> None:
    with collected() as shown:
        state = ShownState()
        assert shown.value("comptoir.process.unready", reason="STARTING") == 1
        state.tell("")
        assert shown.value("comptoir.process.ready") == 1
        state.drain()
        state.tell("")
        assert shown.value("comptoir.process.draining") == 1
        assert shown.value("comptoir.process.ready") == 0
