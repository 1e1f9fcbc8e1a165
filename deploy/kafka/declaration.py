"""Topics and rights as a file declares them: read, checked, and told one by one."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

DECLARATION_FILE: Final = Path(__file__).with_name("topics.yaml")
CLUSTER_NAME: Final = "kafka-cluster"  # Kafka's own name for itself as a thing that one has rights on
_DAY_MILLISECONDS: Final = 86_400_000
_STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_RETENTION: Final = "retention.ms"
_SEGMENT: Final = "segment.ms"

Operation = Literal[
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "DescribeConfigs",
    "AlterConfigs", "IdempotentWrite", "All",
]  # fmt: skip
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}\*?$")]


class DeclarationError(Exception):
    """The file declares nothing that could be applied; the text is one sentence."""


class Acl(NamedTuple):
    """One right of one principal: `operation` on a `resource`, by its name or by how names begin."""

    principal: str
    operation: str
    resource: str
    name: str
    is_prefix: bool = False
    host: str = "*"
    is_denied: bool = False

    def __str__(self) -> str:
        where = f" from {self.host}" if self.host != "*" else ""
        return (
            f"{self.principal} {'may not' if self.is_denied else 'may'} {self.operation} "
            f"{self.resource} {self.name}{'*' if self.is_prefix else ''}{where}"
        )


class Topic(NamedTuple):
    """A topic as it is to be; its values are Kafka's own words."""

    name: str
    partitions: int
    replication_factor: int
    configs: dict[str, str]

    @property
    def longest_days(self) -> float:
        """For how long a record may stay: a file is deleted whole, by its youngest; inf for ever."""
        retention, segment = int(self.configs[_RETENTION]), int(self.configs[_SEGMENT])
        return float("inf") if retention < 0 else (retention + segment) / _DAY_MILLISECONDS


class TopicDefaults(BaseModel):
    """What a topic is where its own lines say nothing else."""

    model_config = _STRICT

    partitions: int = Field(ge=1, le=10_000)
    replication_factor: int = Field(ge=1, le=15)
    configs: dict[str, str]

    @field_validator("configs", mode="before")
    @classmethod
    def _values_are_kafkas_words(cls, configs: Any) -> Any:
        return _as_words(configs)

    @model_validator(mode="after")
    def _ages_are_said(self) -> Self:
        if not {_RETENTION, _SEGMENT} <= self.configs.keys():
            raise ValueError(f"configs must have {_RETENTION} and {_SEGMENT}")
        return self


class DeclaredTopic(BaseModel):
    """A topic by its name, and what of it is not as in `topic_defaults`."""

    model_config = _STRICT

    name: _Name
    partitions: int | None = Field(default=None, ge=1, le=10_000)
    replication_factor: int | None = Field(default=None, ge=1, le=15)
    configs: dict[str, str] = {}

    @field_validator("configs", mode="before")
    @classmethod
    def _values_are_kafkas_words(cls, configs: Any) -> Any:
        return _as_words(configs)


class Grant(BaseModel):
    """Operations on topics, on groups, or on the cluster itself."""

    model_config = _STRICT

    operations: tuple[Operation, ...] = Field(min_length=1)
    topics: tuple[_Pattern, ...] = ()
    groups: tuple[_Pattern, ...] = ()
    is_cluster: bool = False

    @model_validator(mode="after")
    def _one_kind_of_thing(self) -> Self:
        if bool(self.topics) + bool(self.groups) + self.is_cluster != 1:
            raise ValueError("a grant must have one of topics, groups and is_cluster")
        return self

    def acls(self, principal: str) -> Iterator[Acl]:
        """Yields each of its rights for a principal."""
        for operation in self.operations:
            if self.is_cluster:
                yield Acl(principal, operation, "cluster", CLUSTER_NAME)
            for name in self.topics:
                yield Acl(principal, operation, "topic", name.removesuffix("*"), name.endswith("*"))
            for name in self.groups:
                yield Acl(principal, operation, "group", name.removesuffix("*"), name.endswith("*"))


class Role(BaseModel):
    """Who may do what."""

    model_config = _STRICT

    principals: tuple[Annotated[str, Field(pattern=r"^User:[^*\s].{0,250}$")], ...] = Field(min_length=1)
    may: tuple[Grant, ...] = ()


class KafkaDeclaration(BaseModel):
    """All of one file."""

    model_config = _STRICT

    prefix: _Name
    topic_defaults: TopicDefaults
    topics: tuple[DeclaredTopic, ...] = Field(min_length=1)
    roles: dict[str, Role]

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Self:
        names = [topic.name for topic in self.topics]
        if len(set(names)) < len(names):
            raise ValueError("topics: a name stands twice")
        if not all(name.startswith(self.prefix) for name in names):
            raise ValueError("topics: every name must begin with the prefix")
        return self

    def each_topic(self) -> tuple[Topic, ...]:
        """Returns the topics, each with all that it is."""
        defaults = self.topic_defaults
        return tuple(
            Topic(
                topic.name,
                topic.partitions or defaults.partitions,
                topic.replication_factor or defaults.replication_factor,
                {**defaults.configs, **topic.configs},
            )
            for topic in self.topics
        )

    @property
    def principals(self) -> frozenset[str]:
        """Everybody who has a role."""
        return frozenset(name for role in self.roles.values() for name in role.principals)

    @property
    def acls(self) -> frozenset[Acl]:
        """All rights that there are to be."""
        return frozenset(
            acl
            for role in self.roles.values()
            for principal in role.principals
            for grant in role.may
            for acl in grant.acls(principal)
        )

    def check_topics(self, needed: Collection[str]) -> None:
        """Raises DeclarationError where a topic that processes need is not declared, as in an older copy."""
        if missing := sorted(set(needed) - {topic.name for topic in self.topics}):
            raise DeclarationError(
                f"topics: {' and '.join(missing)} must be declared too; this Comptoir writes there."
            )

    def check_retention(self, store_days: int) -> None:
        """Raises DeclarationError where a record could stay for longer than the store keeps its event."""
        for topic in self.each_topic():
            if topic.longest_days >= store_days:
                raise DeclarationError(
                    f"{topic.name} would keep records for {topic.longest_days:g} days ({_RETENTION} + "
                    f"{_SEGMENT}), and the store keeps events for {store_days} (usage.retention_days); "
                    f"shorten {_RETENTION}, or say with --settings or --retention-days that it keeps them "
                    "for longer."
                )


def read_declaration(file: Path = DECLARATION_FILE) -> KafkaDeclaration:
    """Returns what a file declares; DeclarationError says what is wrong, and never what was written."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError:
        raise DeclarationError(f"{file.name} cannot be read.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise DeclarationError(f"{file.name} is not valid YAML.") from None
    try:
        return KafkaDeclaration.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        said = problem["msg"].removeprefix("Value error, ")
        raise DeclarationError(f"{file.name}: {place}: {said}.") from None


def _as_words(configs: Any) -> Any:
    """YAML's numbers and booleans as Kafka writes them; anything else is refused by its type."""
    if not isinstance(configs, dict):
        return configs
    return {
        key: str(value).lower() if isinstance(value, bool | int) else value for key, value in configs.items()
    }
