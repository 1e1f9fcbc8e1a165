import functools
import gc
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.kafka.jar_lock import Jar
from deploy.local.kafka.jars import JarsError
from deploy.local.kafka.maven import download

CONTENT = b"a jar" * 5000
JAR = Jar("org.example", "thing", "1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the only Maven repository."""
    root = tmp_path / "repository"
    root.mkdir()
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings = tmp_path / "jgo.conf"
        settings.write_text(
            f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n", encoding="ascii"
        )
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        yield root
        server.shutdown()
        thread.join(10)


def test_a_jar_comes_from_the_repository_that_the_person_named(repository: Path, tmp_path: Path) -> None:
    place = repository / "org" / "example" / "thing" / "1.0"
    place.mkdir(parents=True)
    (place / "thing-1.0.jar").write_bytes(CONTENT)
    sizes: list[int] = []

    path = download(JAR, tmp_path / "scratch", sizes.append)

    assert path.read_bytes() == CONTENT
    assert sum(sizes) == len(CONTENT)


@pytest.mark.usefixtures("repository")
def test_a_jar_that_cannot_be_had_is_one_sentence_without_an_address(tmp_path: Path) -> None:
    with pytest.raises(JarsError) as caught:
        download(JAR, tmp_path / "scratch", lambda _: None)

    assert str(caught.value).startswith("thing-1.0.jar could not be downloaded; check the network")
    assert "127.0.0.1" not in str(caught.value)
    assert "http" not in str(caught.value)


@pytest.fixture
def _nothing_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("repository", "_nothing_collected")
def test_a_jar_that_cannot_be_had_leaves_no_connection(tmp_path: Path) -> None:
    with pytest.raises(JarsError):
        download(JAR, tmp_path / "scratch", lambda _: None)

    port = int((tmp_path / "jgo.conf").read_text(encoding="ascii").rpartition(":")[2])
    mine = psutil.Process().net_connections("tcp")
    assert [opened for opened in mine if opened.raddr and opened.raddr.port == port] == []
