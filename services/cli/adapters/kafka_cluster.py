"""A Kafka cluster as its administrators see it; the only file that knows confluent-kafka."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.kafka.declaration import Acl, Topic
from deploy.local.stack.errors import StackError
from services.cli.kafka.plan import Found, FoundTopic
from services.runtime.kafka_target import KafkaTarget

_ASK_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_SCRAM_ITERATIONS: Final = 8192
_OPERATIONS: Final = {one.name.title().replace("_", ""): one for one in AclOperation}
_OPERATION_NAMES: Final = {operation: name for name, operation in _OPERATIONS.items()}
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    # Kafka's own type of the cluster as a thing that one has rights on.
    "cluster": ResourceType.BROKER,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
}
_RESOURCE_NAMES: Final = {kind: name for name, kind in _RESOURCES.items()}
_NOBODY: Final = "Kafka does not answer: is it there, and does it speak TLS to users at this port?"
_NEEDS_ADMIN: Final = "Kafka refused ({}): this needs the rights of the role admin, or a super user's."
_SENTENCES: Final = {
    KafkaError._AUTHENTICATION: "Kafka refused the user or its password, or knows no such mechanism.",  # noqa: SLF001 - their public names begin so
    KafkaError._SSL: "No TLS with Kafka: it is not that of the authority, or wants another certificate.",  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN: _NOBODY,  # noqa: SLF001
    KafkaError._TRANSPORT: _NOBODY,  # noqa: SLF001
    KafkaError._TIMED_OUT: _NOBODY,  # noqa: SLF001
}
_HOPELESS: Final = (
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
)
_FORBIDDEN: Final = (
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
)


@dataclass
class KafkaCluster:
    """Asks and changes one cluster; every method raises StackError, with what Kafka said by its name."""

    target: KafkaTarget
    # Errors of connections, which no call raises.
    _said: list[KafkaError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._admin = AdminClient({**_options(self.target), "error_cb": self._said.append})

    def found(self, prefix: str) -> Found:
        """Returns the topics whose names begin with `prefix`, and all rights."""
        # Unlike a list of topics, its answer can be waited for while errors of connections are heard.
        self._one(self._admin.describe_cluster())
        try:
            described = self._admin.list_topics(timeout=_ASK_SECONDS).topics
        except KafkaException as failure:
            raise self._sentence(failure.args[0]) from None
        topics = {name: topic for name, topic in described.items() if name.startswith(prefix)}
        configs = self._configs(topics)
        return Found(
            {
                name: FoundTopic(
                    len(topic.partitions),
                    min((len(one.replicas) for one in topic.partitions.values()), default=0),
                    configs[name],
                )
                for name, topic in topics.items()
            },
            self._acls(),
        )

    def create(self, topic: Topic) -> None:
        """Creates a topic, whole."""
        new = NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            config=topic.configs,
        )
        self._all(self._admin.create_topics([new]).values())

    def add_partitions(self, topic: Topic) -> None:
        """Gives a topic as many partitions as are declared."""
        self._all(self._admin.create_partitions([NewPartitions(topic.name, topic.partitions)]).values())

    def set_config(self, name: str, key: str, value: str) -> None:
        """Sets one value of a topic and leaves the others."""
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        self._all(self._admin.incremental_alter_configs([resource]).values())

    def grant(self, acl: Acl) -> None:
        """Adds a right."""
        self._all(self._admin.create_acls([AclBinding(*_parts(acl))]).values())

    def revoke(self, acl: Acl) -> None:
        """Removes a right."""
        self._all(self._admin.delete_acls([AclBindingFilter(*_parts(acl))]).values())

    def set_password(self, user: str, password: str, mechanism: str) -> None:
        """Gives a user of SCRAM this password; the user is made if there is none."""
        kind = ScramMechanism[mechanism.replace("-", "_")]
        change = UserScramCredentialUpsertion(
            user, ScramCredentialInfo(kind, _SCRAM_ITERATIONS), password.encode()
        )
        self._all(self._admin.alter_user_scram_credentials([change]).values())

    def _configs(self, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        if not resources:
            return {}
        asked = self._admin.describe_configs(resources)
        return {
            resource.name: {key: str(entry.value) for key, entry in self._one(answer).items()}
            for resource, answer in asked.items()
        }

    def _acls(self) -> frozenset[Acl] | None:
        anything = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            None,
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        found = frozenset(map(_acl, self._one(self._admin.describe_acls(anything))))
        # To librdkafka, an answer that is an error as a whole is one without rights.
        return found or self._none_if_any_could_be()

    def _none_if_any_could_be(self) -> frozenset[Acl] | None:
        """Returns no rights, or None where Kafka knows none; StackError where this user may not see them."""
        cluster = self._one(self._admin.describe_cluster(include_authorized_operations=True))
        may = set(cluster.authorized_operations or ())
        if AclOperation.DESCRIBE not in may:
            raise StackError(_NEEDS_ADMIN.format(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED).name()))
        # Without an authorizer everyone may.
        if AclOperation.DESCRIBE_CONFIGS in may and not self._has_authorizer(cluster.nodes[0].id):
            return None
        return frozenset()

    def _has_authorizer(self, broker: int) -> bool:
        resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
        (answer,) = self._admin.describe_configs([resource]).values()
        return bool(self._one(answer)["authorizer.class.name"].value)

    def _all(self, answers: Iterable[Future[Any]]) -> None:
        for answer in answers:
            self._one(answer)

    def _one(self, answer: Future[Any]) -> Any:
        try:
            return self._answer(answer)
        except KafkaException as failure:
            raise self._sentence(failure.args[0]) from None

    def _answer(self, answer: Future[Any]) -> Any:
        """Waits for an answer; an error that every further attempt will meet ends the wait at once."""
        deadline = time.monotonic() + _ASK_SECONDS
        while not answer.done() and time.monotonic() < deadline:
            self._admin.poll(_POLL_SECONDS)
            if hopeless := [error for error in self._said if error.code() in _HOPELESS]:
                raise self._sentence(hopeless[0])
        if not answer.done():
            raise StackError(f"Kafka did not answer within {_ASK_SECONDS:g} seconds.")
        return answer.result()

    def _sentence(self, error: KafkaError) -> StackError:
        code = error.code()
        if code in _FORBIDDEN:
            return StackError(_NEEDS_ADMIN.format(error.name()))
        said = _SENTENCES.get(code)
        return StackError(f"Kafka refused ({error.name()})." if said is None else said)


def _options(target: KafkaTarget) -> dict[str, Any]:
    target.connection()  # says in a sentence what a file lacks, which librdkafka would not
    tls, sasl = target.tls, target.sasl
    encryption = "plaintext" if tls is None and target.ca_file is None else "ssl"
    options: dict[str, Any] = {
        "bootstrap.servers": target.bootstrap,
        "client.id": "comptoir-cli",
        "security.protocol": encryption if sasl is None else f"sasl_{encryption}",
        # Its lines may name users and hosts; what matters is told by `error_cb`.
        "log_level": 0,
        "socket.connection.setup.timeout.ms": 10_000,
    }
    if tls is not None:
        options["ssl.certificate.location"] = str(tls.certificate_file)
        options["ssl.key.location"] = str(tls.private_key_file)
    if (ca_file := target.ca_file if tls is None else tls.ca_file) is not None:
        options["ssl.ca.location"] = str(ca_file)
    if sasl is not None:
        options |= {
            "sasl.mechanism": sasl.mechanism,
            "sasl.username": sasl.user,
            "sasl.password": sasl.password(),
        }
    return options


def _parts(acl: Acl) -> tuple[Any, ...]:
    """What both a right and a filter for it are made of."""
    return (
        _RESOURCES[acl.resource],
        acl.name,
        ResourcePatternType.PREFIXED if acl.is_prefix else ResourcePatternType.LITERAL,
        acl.principal,
        acl.host,
        _OPERATIONS[acl.operation],
        AclPermissionType.DENY if acl.is_denied else AclPermissionType.ALLOW,
    )


def _acl(binding: Any) -> Acl:
    return Acl(
        binding.principal,
        _OPERATION_NAMES[binding.operation],
        _RESOURCE_NAMES.get(binding.restype, "other"),
        binding.name,
        binding.resource_pattern_type is ResourcePatternType.PREFIXED,
        binding.host,
        binding.permission_type is AclPermissionType.DENY,
    )
