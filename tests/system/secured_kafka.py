"""Three brokers as in production: TLS, users and certificates, rights, and three copies of every record."""

import base64
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deploy.local.kafka import jars
from deploy.local.kafka.data_folder import DataFolder
from deploy.local.kafka.fetching import fetch_jars
from deploy.local.kafka.java import BROKER_CLASS, STORAGE_CLASS, Runtime
from deploy.local.kafka.properties import LOG_LAYOUT, render
from deploy.local.kafka.settings import LocalKafkaSettings
from services.kernel.catalog import Catalog
from services.runtime.addresses import TlsFiles
from services.runtime.kafka_target import KafkaTarget, KafkaUser
from services.runtime.settings import environment
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.tied import tied

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "kafka.md").read_text(encoding="utf-8")
ADMIN, ROOT_PASSWORD = "comptoir-admin", "made up for root"
_START_SECONDS = 240.0
_STOP_SECONDS = 30.0
_FOLLOW_SECONDS = 120.0
_PAUSE_SECONDS = 0.1


def pem_store(files: TlsFiles, listener: str) -> dict[str, str]:
    """A listener's certificate and authority, in one file each as brokers want them."""
    both = files.certificate_file.with_suffix(".both.pem")
    both.write_bytes(files.private_key_file.read_bytes() + files.certificate_file.read_bytes())
    prefix = f"listener.name.{listener.lower()}.ssl"
    return {
        f"{prefix}.keystore.type": "PEM",
        f"{prefix}.keystore.location": str(both),
        f"{prefix}.truststore.type": "PEM",
        f"{prefix}.truststore.location": str(files.ca_file),
        f"{prefix}.client.auth": "none" if listener == "SCRAM" else "required",
        # CN=emitter is the same principal as the user emitter.
        f"{prefix}.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
    }


@dataclass
class Broker:
    """One node, broker and controller; its listeners are for users, for certificates and for its like."""

    number: int
    folder: DataFolder
    files: TlsFiles
    scram_port: int = field(default_factory=free_port)
    mtls_port: int = field(default_factory=free_port)
    inner_port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def properties(self, voters: str) -> dict[str, str]:
        """Its configuration, where `docs/kafka.md` says what of it a cluster needs."""
        ports = {"SCRAM": self.scram_port, "MTLS": self.mtls_port, "INNER": self.inner_port}
        listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
        stores = [pem_store(self.files, name) for name in (*ports, "CONTROLLER")]
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INNER",
            "listeners": ",".join([*listeners.values(), f"CONTROLLER://127.0.0.1:{self.controller_port}"]),
            "advertised.listeners": ",".join(listeners.values()),
            "listener.security.protocol.map": "SCRAM:SASL_SSL,MTLS:SSL,INNER:SSL,CONTROLLER:SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            **{key: value for store in stores for key, value in store.items()},
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:broker-1;User:broker-2;User:broker-3;User:root",
            "auto.create.topics.enable": "false",
            "log.dirs": str(self.folder.log_folder),
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "3",
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A machine that runs other tests beside holds up elections too.
            "controller.quorum.election.timeout.ms": "5000",
            "controller.quorum.fetch.timeout.ms": "10000",
            "broker.session.timeout.ms": "6000",
            "broker.heartbeat.interval.ms": "1000",
            "num.network.threads": "1",
            "num.io.threads": "2",
            "log.cleaner.dedupe.buffer.size": str(8 << 20),
        }


class SecuredKafka:
    """Three brokers on ports of their own, with an authority that signed everybody's certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.brokers = [
            Broker(
                number, _data_folder(folder / f"broker-{number}"), self.authority.files(f"broker-{number}")
            )
            for number in (1, 2, 3)
        ]
        self._class_path = class_path(folder)
        self._logs: list[IO[bytes]] = []

    @property
    def address(self) -> str:
        """Where users connect."""
        return ",".join(f"127.0.0.1:{broker.scram_port}" for broker in self.brokers)

    @property
    def mtls_bootstrap(self) -> str:
        """Where those connect who have a certificate."""
        return ",".join(f"127.0.0.1:{broker.mtls_port}" for broker in self.brokers)

    @property
    def ca_file(self) -> Path:
        """The authority's own certificate."""
        return self.brokers[0].files.ca_file

    def password_file(self, name: str, password: str) -> Path:
        """A file with a password, as a secret is mounted."""
        file = self.folder / f"{name}.password"
        file.write_text(f"{password}\n")
        file.chmod(0o600)
        return file

    def as_user(self, name: str, password_file: Path) -> KafkaTarget:
        """How a user of SCRAM reaches it."""
        user = KafkaUser(user=name, password_file=password_file)
        return KafkaTarget(bootstrap=self.address, ca_file=self.ca_file, sasl=user)

    def with_certificate(self, name: str) -> KafkaTarget:
        """How one with a certificate reaches it."""
        return KafkaTarget(bootstrap=self.mtls_bootstrap, tls=self.authority.files(name))

    def start(self) -> None:
        """Formats and starts all three, and returns once each listens."""
        voters = ",".join(f"{one.number}@127.0.0.1:{one.controller_port}" for one in self.brokers)
        cluster = "c" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        formats = [self._format(broker, voters, cluster) for broker in self.brokers]
        for broker, formatting in zip(self.brokers, formats, strict=True):
            assert formatting.wait(_START_SECONDS) == 0, broker.number
            self.launch(broker)
        for broker in self.brokers:
            self.wait_for(broker)

    def launch(self, broker: Broker) -> None:
        """Starts one, and does not wait."""
        broker.process = self._java(broker, BROKER_CLASS, str(broker.folder.properties_file))

    def wait_for(self, broker: Broker) -> None:
        """Returns once one listens to users and to certificates."""
        deadline = time.monotonic() + _START_SECONDS
        while not (_listens(broker.scram_port) and _listens(broker.mtls_port)):
            assert broker.process is not None
            assert time.monotonic() < deadline, self.said_by(broker)
            try:
                broker.process.wait(_PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(self.said_by(broker))

    def kill(self, broker: Broker) -> None:
        """SIGKILL."""
        assert broker.process is not None
        os.kill(broker.process.pid, signal.SIGKILL)
        broker.process.wait(_STOP_SECONDS)

    def said_by(self, broker: Broker) -> str:
        """The end of what one wrote to standard error."""
        return (broker.folder.path / "stderr").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """Ends all: their data goes with the test's folder."""
        for broker in self.brokers:
            if broker.process is not None and broker.process.poll() is None:
                self.kill(broker)
        for log in self._logs:
            log.close()

    def _format(self, broker: Broker, voters: str, cluster: str) -> "subprocess.Popen[bytes]":
        broker.folder.properties_file.write_text(render(broker.properties(voters)), encoding="ascii")
        broker.folder.log_layout_file.write_text(LOG_LAYOUT, encoding="ascii")
        user = f"SCRAM-SHA-512=[name=root,password={ROOT_PASSWORD}]"
        file = str(broker.folder.properties_file)
        return self._java(
            broker, STORAGE_CLASS, "format", f"--cluster-id={cluster}", "-c", file, "--add-scram", user
        )

    def _java(self, broker: Broker, main_class: str, *arguments: str) -> "subprocess.Popen[bytes]":
        log = (broker.folder.path / "stderr").open("ab")
        self._logs.append(log)
        command = Runtime(self._class_path, 320, broker.folder).command(main_class, *arguments)
        return subprocess.Popen(
            tied(command),
            stdout=log,
            stderr=log,
            cwd=broker.folder.path,
            env={"LANG": "C.UTF-8", "PATH": os.defpath},
        )


def block(name: str) -> str:
    """The block of the page below the comment that names it."""
    found = re.search(rf"<!-- {name} -->\n+```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


class Followed(SecuredKafka):
    """A cluster on which the page is followed, in a folder with the files that it speaks of."""

    def follow(self, name: str) -> str:
        """Runs a block as a reader would; what it printed."""
        path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
        done = subprocess.run(
            ["/bin/bash", "-eu", "-c", block(name)],
            cwd=self.folder,
            env={"KAFKA": self.address, "PATH": path, "COLUMNS": "200", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=_FOLLOW_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def user(self, name: str) -> KafkaTarget:
        """How a user of the page reaches it."""
        return self.as_user(name, self.folder / f"{name}.password")


def _data_folder(path: Path) -> DataFolder:
    path.mkdir()
    folder = DataFolder(path, wait_seconds=0)
    folder.scratch_folder.mkdir()
    return folder


def class_path(folder: Path) -> tuple[Path, ...]:
    """The project's jars, fetched if this machine has none."""
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
    regions = [{"number": 1, "name": "eu-fr"}]
    catalog = Catalog.model_validate({"regions": regions, "models": [model]})
    settings = LocalKafkaSettings(region="eu-fr", catalog=catalog, data_folder=folder)
    fetch_jars(settings, prints_progress=False)
    return jars.class_path(jars.committed_lock(), settings.cache_folder)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
