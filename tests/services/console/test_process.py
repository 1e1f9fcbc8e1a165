"""A whole console starts, is asked over its own listener, with certificates too, and ends in order."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.console.process import ConsoleProcess
from services.console.settings import ConsoleSettings
from services.kernel.clock import SystemClock
from services.runtime.probes import PROBES
from services.runtime.process import live
from services.runtime.settings import SettingsError
from tests.services.console.conftest import SETTINGS
from tests.services.runtime.certificates import Authority

WAIT_SECONDS = 30.0


@asynccontextmanager
async def running(**changed: Any) -> AsyncIterator[int]:
    """The port of a console whose sources are not there."""
    settings = ConsoleSettings.model_validate(SETTINGS | {"listen": {"port": 0}} | changed)
    console, stop, started = ConsoleProcess(settings, SystemClock()), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(live(console, stop, on_started=started.set))
    starting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({serving, starting}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert starting.done() or serving.result()
        yield console.listener.port
    finally:
        starting.cancel()
        stop.set()
        await asyncio.wait_for(serving, WAIT_SECONDS)


async def test_it_serves_its_page_where_no_source_answers(tmp_path: Path) -> None:
    nobody = {
        "admin": {"address": f"unix:{tmp_path}/nobody.sock"},
        "edge": {"url": "http://127.0.0.1:1"},
        "store": {"url": "http://127.0.0.1:1"},
    }
    async with running(**nobody) as port, httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:
        page = await client.get(f"http://127.0.0.1:{port}/")
        assert page.status_code == 200
        assert "edge: no answer" in page.text
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).text == "ok"
        malformed = await client.get(f"http://127.0.0.1:{port}/", headers={"X-Long": "x" * 20_000})
        assert malformed.status_code == 431
        assert "content-security-policy" in malformed.headers


async def test_its_operations_port_says_ready_once_it_serves_and_not_while_it_drains() -> None:
    async with running():
        assert PROBES.why_unready() == ""
    assert PROBES.why_unready() == "DRAINING"


async def test_where_certificates_let_in_nobody_gets_an_answer_without_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server, operator = authority.files("console"), authority.files("operator")
    tls = {
        "certificate_file": str(server.certificate_file),
        "private_key_file": str(server.private_key_file),
        "client_ca_file": str(server.ca_file),
    }
    changed = {"is_open_to_this_machine": False, "listen": {"port": 0, "tls": tls}}
    named = ssl.create_default_context(cafile=str(server.ca_file))
    named.load_cert_chain(operator.certificate_file, operator.private_key_file)
    async with running(**changed) as port:
        url = f"https://127.0.0.1:{port}/static/console.css"
        async with httpx.AsyncClient(verify=named, trust_env=False, timeout=WAIT_SECONDS) as client:
            assert (await client.get(url)).status_code == 200
        nameless = ssl.create_default_context(cafile=str(server.ca_file))
        async with httpx.AsyncClient(verify=nameless, trust_env=False, timeout=WAIT_SECONDS) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(url)


async def test_an_address_that_is_taken_is_one_sentence() -> None:
    async with running() as port:
        with pytest.raises(SettingsError, match="is taken"):
            async with running(listen={"port": port}):
                pass


def test_a_secret_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    changed = {"is_open_to_this_machine": False, "secret_file": str(tmp_path / "none")}
    settings = ConsoleSettings.model_validate(SETTINGS | changed)
    with pytest.raises(SettingsError, match="none"):
        ConsoleProcess(settings, SystemClock())
