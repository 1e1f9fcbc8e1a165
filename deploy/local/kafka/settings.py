"""The settings of the local broker, section `local_kafka`."""

import ipaddress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deploy.kafka.declaration import read_declaration
from deploy.local.kafka.properties import BrokerPlan
from services.runtime.addresses import split_address
from services.runtime.settings import ProcessSettings, environment

SECTION: Final = "local_kafka"
# Of those that production has: one machine has few writers, and a partition costs files.
_MOST_PARTITIONS: Final = 4


def _default_cache_folder() -> Path:
    """Returns where the desktop convention puts what can be downloaded again."""
    return Path(environment().get("XDG_CACHE_HOME") or "~/.cache") / "comptoir" / "kafka"


class TopicSettings(BaseModel):
    """A topic that exists once the broker is ready; `retention_hours` defaults to the broker's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,199}$", description="the topic's name")
    partitions: int = Field(
        default=_MOST_PARTITIONS, ge=1, le=64, description="partitions; a topic that exists keeps its number"
    )
    retention_hours: int | None = Field(
        default=None, ge=1, le=720, description="instead of the broker's `retention_hours`"
    )


def _declared_topics() -> tuple[TopicSettings, ...]:
    """Returns the topics that production has too; their ages are the broker's own settings here."""
    return tuple(
        TopicSettings(name=topic.name, partitions=min(topic.partitions, _MOST_PARTITIONS))
        for topic in read_declaration().each_topic()
    )


class LocalKafkaSettings(ProcessSettings):
    """One broker on loopback: ports, folders, memory, and how long a record may stay.

    A record is gone at the latest after `retention_hours` + `roll_hours` and some minutes; the defaults
    together stay below the shortest retention of the store, seven days.
    """

    listen: str = Field(default="127.0.0.1:8405", description="loopback `host:port` for clients")
    controller_port: int = Field(
        default=8406, ge=1, le=65535, description="port of the broker's controller on the same host"
    )
    data_folder: Path = Field(description="folder of the log; created if absent, one broker at a time")
    cache_folder: Path = Field(
        default_factory=_default_cache_folder,
        validate_default=True,
        description="folder of the broker's jars and of the archive of its classes, shared by all stacks of "
        "a user; left out, `comptoir/kafka` in `$XDG_CACHE_HOME` or `~/.cache`",
    )
    heap_megabytes: int = Field(default=512, ge=192, le=65536, description="heap of the broker, in MiB")
    retention_hours: int = Field(
        default=144, ge=1, le=720, description="how long a record stays; keep it below the store's retention"
    )
    roll_hours: int = Field(
        default=12, ge=1, le=24, description="how much longer at most, since files are deleted whole"
    )
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="longest start before the process fails"
    )
    stop_timeout_seconds: float = Field(
        default=20.0, gt=0, le=600, description="longest stop before the broker is killed"
    )
    fetch_timeout_seconds: float = Field(
        default=900.0,
        gt=0,
        le=86400,
        description="longest wait for another process that downloads the jars",
    )
    topics: tuple[TopicSettings, ...] = Field(
        default_factory=_declared_topics,
        validate_default=True,
        description="what exists once the broker is ready; left out, those of `deploy/kafka/topics.yaml`",
    )

    @field_validator("listen")
    @classmethod
    def _only_this_machine_can_connect(cls, listen: str) -> str:
        host, _ = split_address(listen)
        try:
            is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ValueError("must be a loopback address and a port: this broker has no authentication")
        return listen

    @field_validator("data_folder", "cache_folder")
    @classmethod
    def _folders_are_absolute(cls, folder: Path) -> Path:
        folder = folder.expanduser().absolute()
        # The broker and the class path each take a list of paths.
        if any(sign in str(folder) for sign in ",:\n*"):
            raise ValueError("may not hold a comma, a colon, an asterisk or a line end")
        return folder

    @model_validator(mode="after")
    def _names_and_ports_are_unique(self) -> "LocalKafkaSettings":
        if len({topic.name for topic in self.topics}) < len(self.topics):
            raise ValueError("topics: a name stands twice")
        if self.controller_port == self.port:
            raise ValueError("controller_port must differ from the port of listen")
        return self

    @property
    def host(self) -> str:
        """The loopback host to listen on, without brackets."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return split_address(self.listen)[1]

    @property
    def plan(self) -> BrokerPlan:
        """What the broker's configuration file is made of."""
        return BrokerPlan(
            host=self.host,
            port=self.port,
            controller_port=self.controller_port,
            log_folder=self.data_folder / "log",
            retention_hours=self.retention_hours,
            roll_hours=self.roll_hours,
        )
