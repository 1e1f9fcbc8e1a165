"""How long Kafka keeps Comptoir's records."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.adapters.kafka_cluster import KafkaCluster
from services.runtime.kafka_target import KafkaTarget
from services.runtime.settings_error import SettingsError

_PREFIX: Final = "comptoir."
_RETENTION: Final = "retention.ms"


def topic_retention(settings: Mapping[str, Any]) -> dict[str, int]:
    """Returns `retention.ms` by topic, of the cluster that a section's `kafka` names.

    StackError where it does not answer in half a minute, or not to this user.
    """
    own = {key: value for key, value in settings.items() if key in KafkaTarget.model_fields}
    try:
        found = KafkaCluster(KafkaTarget.model_validate(own)).found(_PREFIX)
    except (ValidationError, SettingsError):
        raise StackError("The settings of kafka cannot be used.") from None
    return {
        name: int(topic.configs[_RETENTION])
        for name, topic in found.topics.items()
        if _RETENTION in topic.configs
    }
