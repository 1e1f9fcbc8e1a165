"""Every process is asked whether it is ready by what it answers, and one that is silent is said so."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.console.adapters.readiness import AskedProcesses
from services.console.domain.health import Process, State
from services.console.process import http_client
from services.console.settings import ConsoleSettings
from tests.contracts.console_ports import ProcessesContract
from tests.fakes.running_router import running_router, settings_in
from tests.services.console.conftest import SETTINGS
from tests.services.edge.conftest import Stage, stage  # noqa: F401 - a real edge


class TestAskedProcesses(ProcessesContract):
    @pytest.fixture
    async def processes(
        self,
        stage: Stage,  # noqa: F811 - the fixture
        tmp_path: Path,
    ) -> AsyncIterator[AskedProcesses]:
        await stage.start()
        (tmp_path / "own").mkdir()
        async with running_router(settings_in(tmp_path / "own")) as running:
            asked = {"router": running.settings.listen.address, "emitter": f"unix:{tmp_path}/nobody.sock"}
            settings = ConsoleSettings.model_validate(
                SETTINGS
                | {
                    "edge": {"url": stage.url},
                    "processes": {name: {"address": address} for name, address in asked.items()},
                }
            )
            async with http_client(settings.edge, most_answers=1) as client:
                processes = AskedProcesses(settings, client)
                yield processes
                await processes.close()


def edge(answer: httpx.Response | None) -> httpx.AsyncClient:
    def handle(_request: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("")
        return answer

    return httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://edge")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(503, json={"reason": "no_replica"}), Process("edge", State.UNREADY, "no replica")),
        (httpx.Response(503, json={"reason": "<b>"}), Process("edge", State.UNREADY)),
        (httpx.Response(503, json=[]), Process("edge", State.UNREADY)),
        (httpx.Response(503, content=b"\xff"), Process("edge", State.UNREADY)),
        (None, Process("edge", State.SILENT)),
    ],
)
async def test_an_edge_says_why_it_is_not_ready(answer: httpx.Response | None, expected: Process) -> None:
    async with edge(answer) as client:
        settings = ConsoleSettings.model_validate(SETTINGS)
        assert (await AskedProcesses(settings, client).health()).processes == (expected,)
