"""What the broker is told: its properties and its log layout, as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NODE_NUMBER: Final = 1
_MEBIBYTE: Final = 1 << 20
_HOUR_MILLISECONDS: Final = 3_600_000

# One JSON object a line, like every other process; the message is the broker's own and never holds a record.
LOG_LAYOUT: Final = """\
status=error
appender.lines.type=Console
appender.lines.name=lines
appender.lines.target=SYSTEM_ERR
appender.lines.layout.type=PatternLayout
appender.lines.layout.charset=UTF-8
appender.lines.layout.alwaysWriteExceptions=false
appender.lines.layout.pattern={"timestamp":"%d{yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'}{UTC}","level":"%p{lowerCase=true}",\
"process":"local-kafka","library":"%c","event":"%enc{%m}{JSON}","error_type":"%enc{%ex{short.className}}{JSON}"}%n
# Warns of every ordinary start.
logger.controller.name=org.apache.kafka.controller.QuorumController
logger.controller.level=error
rootLogger.level=warn
rootLogger.appenderRef.lines.ref=lines
"""


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """One broker: where it listens (loopback), where it writes and how long a record may stay."""

    host: str
    port: int
    controller_port: int
    log_folder: Path
    retention_hours: int
    roll_hours: int


def server_properties(plan: BrokerPlan) -> str:
    """Returns the broker's configuration: one node that is broker and controller, and forgets on time."""
    return render({**_addresses(plan), **_storage(plan), **_one_node()})


def render(properties: Mapping[str, str]) -> str:
    r"""Java's properties format, in ASCII: `\`, line ends and what is not ASCII are escaped."""
    return "".join(f"{key}={_escape(value)}\n" for key, value in properties.items())


def _addresses(plan: BrokerPlan) -> dict[str, str]:
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    broker = f"BROKER://{host}:{plan.port}"
    controller = f"CONTROLLER://{host}:{plan.controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_NUMBER),
        "controller.quorum.voters": f"{NODE_NUMBER}@{host}:{plan.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listeners": f"{broker},{controller}",
        "advertised.listeners": broker,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }


def _storage(plan: BrokerPlan) -> dict[str, str]:
    return {
        "log.dirs": str(plan.log_folder),
        "log.retention.ms": str(plan.retention_hours * _HOUR_MILLISECONDS),
        # A segment goes as a whole, so its youngest record decides; rolling often keeps the promise near.
        "log.roll.ms": str(plan.roll_hours * _HOUR_MILLISECONDS),
        # The age that counts is the broker's own: a producer's clock cannot keep a record for longer.
        "log.message.timestamp.type": "LogAppendTime",
        "log.segment.bytes": str(64 * _MEBIBYTE),
        "log.index.size.max.bytes": str(_MEBIBYTE),
        # A killed process loses nothing that the kernel holds; a machine without power would. There is no
        # second broker to have a copy, so each acknowledged batch is on the disk first.
        "log.flush.interval.messages": "1",
        "message.max.bytes": str(2 * _MEBIBYTE),
        # Offsets, and the plan of the next insert in their metadata, outlive every record they speak of.
        "offsets.retention.minutes": str(30 * 24 * 60),
        "offsets.topic.segment.bytes": str(8 * _MEBIBYTE),
        "log.cleaner.dedupe.buffer.size": str(8 * _MEBIBYTE),
    }


def _one_node() -> dict[str, str]:
    return {
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # After a kill the controller waits for the old broker's session to end before it takes the new one.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "1000",
        # Each thread of a pool wakes several times a second to look for work, and the clients are a handful.
        "num.network.threads": "1",
        "num.io.threads": "2",
        "background.threads": "2",
        "group.coordinator.threads": "1",
        # The controller writes a record of nothing twice a second for voters and observers, which one node
        # has none of.
        "metadata.max.idle.interval.ms": "0",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def _escape(value: str) -> str:
    out: list[str] = []
    for unit in value.encode("utf-16-be").hex(" ", 2).split():
        code = int(unit, 16)
        if chr(code) == "\\":
            out.append("\\\\")
        elif ord("!") <= code <= ord("~"):
            out.append(chr(code))
        else:
            out.append(f"\\u{code:04x}")
    return "".join(out)
