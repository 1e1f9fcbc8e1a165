"""On another machine both sides show certificates: a side without one is told that nobody answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from comptoir.client import ComptoirError, mutual_tls

from tests.client.stage import CALLERS, Stage, chat
from tests.services.edge.scripts import GeneratorScript
from tests.services.runtime.certificates import Authority


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Stage]:
    authority = Authority(tmp_path / "authority")
    stage = Stage(tmp_path, authority.files("services"))
    await stage.start(GeneratorScript())
    yield stage
    await stage.stop()


def credentials(folder: Path, name: str) -> grpc.ChannelCredentials:
    return mutual_tls(
        certificate_file=folder / "authority" / f"{name}.pem",
        private_key_file=folder / "authority" / f"{name}.key",
        ca_file=folder / "authority" / "ca.pem",
    )


@pytest.mark.parametrize("kind", sorted(CALLERS))
async def test_a_service_with_a_certificate_is_served(kind: str, secure: Stage, tmp_path: Path) -> None:
    caller = CALLERS[kind](secure.address, tls=credentials(tmp_path, "services"))
    assert (await caller.answer(**chat())).text == "Bonjour !"
    await caller.close()


@pytest.mark.parametrize("kind", sorted(CALLERS))
async def test_a_service_without_one_reaches_nobody(kind: str, secure: Stage, tmp_path: Path) -> None:
    strangers = Authority(tmp_path / "strangers").files("stranger")
    theirs = mutual_tls(
        certificate_file=strangers.certificate_file,
        private_key_file=strangers.private_key_file,
        ca_file=tmp_path / "authority" / "ca.pem",
    )
    caller = CALLERS[kind](secure.address, tls=theirs, unreachable_seconds=0.2)
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert str(raised.value) == "UNAVAILABLE"
    assert secure.router.admissions == []
    await caller.close()
