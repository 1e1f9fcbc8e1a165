"""The operations port: metrics for every caller, and nothing that a caller can hold or read back."""

import contextlib
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.metrics import endpoint as metrics_endpoint
from services.runtime.metrics.endpoint import MetricsEndpoint
from services.runtime.metrics.listen import MetricsListen
from services.runtime.metrics.places import MAX_CONNECTIONS, MAX_OPEN, MAX_PLACES, MAX_PLACES_OF_ONE
from services.runtime.probes import Probes
from services.runtime.settings_error import SettingsError
from tests.services.runtime.certificates import Authority

CANARY = "canary-51ce"
_ONE_REQUEST: Final = {"connection": "close"}


class TurningLoop(Probes):
    """Probes of a process whose loop turns, or not."""

    turns = True

    def is_alive(self) -> bool:
        return self.turns


@pytest.fixture
def probes() -> TurningLoop:
    return TurningLoop()


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("tried", "tries", registry=registry).inc(3)
    return registry


@pytest.fixture
def endpoint(registry: CollectorRegistry) -> Iterator[MetricsEndpoint]:
    endpoint = MetricsEndpoint(MetricsListen(port=0), registry, Probes())
    yield endpoint
    endpoint.close()


def get(endpoint: MetricsEndpoint, path: str = "/metrics") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{endpoint.port}{path}", timeout=10, trust_env=False)


def connect(endpoint: MetricsEndpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=20)


def until_metrics_are_back(endpoint: MetricsEndpoint) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            assert get(endpoint).status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_metrics_are_in_prometheus_format(endpoint: MetricsEndpoint) -> None:
    found = {family.name: family.samples for family in text_string_to_metric_families(get(endpoint).text)}
    assert found["tried"][0].value == 3


@pytest.mark.parametrize("path", ["/", f"/{CANARY}", "/metrics/"])
def test_nothing_else_is_served_and_no_path_is_repeated(endpoint: MetricsEndpoint, path: str) -> None:
    answer = get(endpoint, path)
    assert answer.status_code == 404
    assert CANARY not in answer.text


def test_what_is_not_http_is_refused_without_its_words(
    endpoint: MetricsEndpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(endpoint) as caller:
        caller.sendall(f"{CANARY} {CANARY} {CANARY} {CANARY}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: caller.recv(4096), b""))
    assert b"400" in answer
    assert CANARY.encode() not in answer
    assert CANARY not in "".join(capfd.readouterr())


def test_silent_callers_keep_no_scrape_out_and_get_no_more_threads(endpoint: MetricsEndpoint) -> None:
    before = threading.active_count()
    callers = [connect(endpoint) for _ in range(MAX_CONNECTIONS)]
    for _ in range(3):
        assert get(endpoint).status_code == 200
        callers.append(connect(endpoint))
    assert callers[0].recv(1) == b""
    callers += [connect(endpoint) for _ in range(30)]
    assert threading.active_count() <= before + MAX_PLACES_OF_ONE
    for caller in callers:
        caller.close()
    until_metrics_are_back(endpoint)


def test_silent_callers_of_many_addresses_keep_no_probe_out(
    registry: CollectorRegistry, probes: TurningLoop
) -> None:
    endpoint = MetricsEndpoint(MetricsListen(port=0), registry, probes)
    with contextlib.ExitStack() as held:
        held.callback(endpoint.close)
        for number in range(MAX_OPEN + 1):
            source = (f"127.0.0.{2 + number // MAX_CONNECTIONS}", 0)
            address = ("127.0.0.1", endpoint.port)
            held.enter_context(socket.create_connection(address, timeout=20, source_address=source))
            assert get(endpoint, "/healthz").status_code == 200


def test_a_thread_that_cannot_start_costs_its_caller_alone(
    endpoint: MetricsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", cannot)
        for _ in range(2 * MAX_PLACES):
            with connect(endpoint) as caller:
                assert caller.recv(1) == b""
    assert get(endpoint).status_code == 200


class Flood:
    """Callers that connect as often as they can, and hold what they get for as long as it lasts."""

    def __init__(self, port: int, callers: int = 20) -> None:
        self._port = port
        self._is_over = threading.Event()
        self.connected = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._connect) for _ in range(callers)]

    def _connect(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as it:
                self.connected.release()
                it.recv(1)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)


def test_a_flood_of_connections_from_one_address_keeps_no_probe_of_another_out(
    registry: CollectorRegistry, probes: TurningLoop
) -> None:
    endpoint = MetricsEndpoint(MetricsListen(port=0), registry, probes)
    before = threading.active_count()
    try:
        with (
            Flood(endpoint.port) as flood,
            httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=20) as kubelet,
        ):
            for _ in range(100):
                assert flood.connected.acquire(timeout=60)
            for _ in range(20):
                answer = kubelet.get(f"http://127.0.0.1:{endpoint.port}/healthz", headers=_ONE_REQUEST)
                assert (answer.status_code, answer.text) == (200, "alive\n")
            assert threading.active_count() <= before + 20 + MAX_PLACES_OF_ONE + 1
    finally:
        endpoint.close()


def test_a_caller_that_sends_a_byte_now_and_then_ends_too(
    endpoint: MetricsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_endpoint, "_WHOLE_SECONDS", 1.0)
    callers = [connect(endpoint) for _ in range(MAX_CONNECTIONS)]
    deadline = time.monotonic() + 20
    while callers:
        assert time.monotonic() < deadline
        for caller in list(callers):
            try:
                caller.sendall(b"G")
            except OSError:
                caller.close()
                callers.remove(caller)
        time.sleep(0.05)
    until_metrics_are_back(endpoint)


def test_a_taken_port_is_one_sentence(endpoint: MetricsEndpoint, registry: CollectorRegistry) -> None:
    with pytest.raises(SettingsError, match=f"127.0.0.1:{endpoint.port} of metrics_listen is taken"):
        MetricsEndpoint(MetricsListen(port=endpoint.port), registry, Probes())


def test_beyond_loopback_metrics_are_for_callers_with_a_certificate(
    registry: CollectorRegistry, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="host is not loopback, so it needs tls"):
        MetricsListen(host="0.0.0.0", port=1)  # noqa: S104 - it is refused
    files, stranger = (Authority(tmp_path / name).files("prometheus") for name in ("pki", "other"))
    endpoint = MetricsEndpoint(MetricsListen(port=0, tls=files), registry, Probes())
    url = f"https://127.0.0.1:{endpoint.port}/metrics"
    try:
        unknown = httpx.get(url, verify=ssl.create_default_context(cafile=files.ca_file), trust_env=False)
        assert (unknown.status_code, "tried" in unknown.text) == (403, False)
        wrong = ssl.create_default_context(cafile=files.ca_file)
        wrong.load_cert_chain(stranger.certificate_file, stranger.private_key_file)
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=wrong, trust_env=False)
        assert httpx.get(url, verify=files.ssl_context(), trust_env=False).status_code == 200
    finally:
        endpoint.close()


def test_a_probe_needs_no_certificate_and_is_told_what_the_process_says(
    registry: CollectorRegistry, tmp_path: Path, probes: TurningLoop
) -> None:
    files = Authority(tmp_path / "pki").files("router")
    endpoint = MetricsEndpoint(MetricsListen(port=0, tls=files), registry, probes)

    def asked(path: str) -> tuple[int, str]:
        # As a kubelet asks: it shows nothing, and believes anybody.
        url = f"https://127.0.0.1:{endpoint.port}{path}"
        answer = httpx.get(url, verify=False, trust_env=False)  # noqa: S501 - that is the point
        return answer.status_code, answer.text

    try:
        assert asked("/healthz") == (200, "alive\n")
        assert asked("/readyz") == (503, "STARTING\n")
        probes.ready_by(lambda: "")
        assert asked("/readyz") == (200, "ready\n")
        probes.ready_by(lambda: "DRAINING")
        assert asked("/readyz") == (503, "DRAINING\n")
        assert asked("/healthz")[0] == 200
        probes.turns = False
        assert asked("/healthz") == asked("/readyz") == (503, "the process does not turn\n")
        assert asked(f"/healthz/{CANARY}")[0] == 404
    finally:
        endpoint.close()


def test_a_renewed_certificate_is_shown_without_a_restart(
    registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_endpoint, "_RELOAD_SECONDS", 0.0)
    authority = Authority(tmp_path / "pki")
    files = authority.files("first")
    endpoint = MetricsEndpoint(MetricsListen(port=0, tls=files), registry, Probes())

    def shown() -> str:
        with (
            socket.create_connection(("127.0.0.1", endpoint.port), timeout=5) as plain,
            files.ssl_context().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            certificate: Any = connection.getpeercert()
        return str(dict(pair for (pair,) in certificate["subject"])["commonName"])

    try:
        assert shown() == "first"
        second = authority.files("second")
        shutil.copy(second.certificate_file, files.certificate_file)
        shutil.copy(second.private_key_file, files.private_key_file)
        # The endpoint's own thread does so every half second.
        endpoint._server.service_actions()
        assert shown() == "second"
    finally:
        endpoint.close()
