"""The settings of each process in the schema of the chart's values: its section without the chart's own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.router.domain.scaling import ScalingRules
from services.runtime.settings import SHARED_KEYS, ProcessSettings

FILE: Final = Path(__file__).resolve().parents[1] / "deploy" / "helm" / "comptoir" / "values.schema.json"
# What the chart says itself: addresses, files, certificates, numbers.
OWN: Final[Mapping[str, frozenset[str]]] = {
    "edge": frozenset(
        (
            *("router", "further_routers", "prefix_secret_file", "emitter"),
            *("generator_tls", "generator_peer_region"),
        )
    ),
    "router": frozenset(
        (
            *("number", "replica_listen", "admin_listen", "scaler_listen", "scaling", "emitter"),
            *("database_file", "database_url", "database_password_file", "pepper_file", "signing_key_file"),
            *("signing_key_number", "lease_store", "replica_name"),
        )
    ),
    "generator": frozenset(
        (
            *("advertise_address", "router", "further_routers", "emitter", "replica", "model"),
            *("model_path", "ticket_public_keys", "cache_salt_secret_file"),
        )
    ),
    "emitter": frozenset(("spool_folder", "kafka", "pseudonym_epoch", "pseudonym_secret_file")),
    "usage": frozenset(("kafka", "clickhouse")),
    "console": frozenset(
        (
            *("admin", "edge", "store", "processes", "public_names"),
            *("secret_file", "proxy", "is_open_to_this_machine", "session_seconds"),
        )
    ),
}
_EVERYWHERE: Final = frozenset((*SHARED_KEYS, "listen", "metrics_listen"))


def refreshed(text: str, classes: Mapping[str, type[ProcessSettings]]) -> str:
    """Returns the schema with the settings of `classes`, by section, as they are now; the rest as it was."""
    schema = json.loads(text)
    for section, own in OWN.items():
        place = schema["$defs"] if section == "generator" else schema["properties"][section]["properties"]
        name = "generatorSettings" if section == "generator" else "settings"
        place[name] = _object(
            f"Settings of the section {section} (docs/settings.md) that are not the chart's own.",
            classes[section].model_fields,
            own | _EVERYWHERE,
        )
    # Whom the pool serves, it says itself.
    own_rules = {"model", "tenant", "min_replicas", "max_replicas"}
    rules = _object("As router.scaling[].", ScalingRules.model_fields, own_rules)
    for pool in (schema["properties"]["pool"], *schema["properties"]["pools"]["patternProperties"].values()):
        pool["properties"]["autoscaling"]["properties"]["rules"] = rules
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _object(
    description: str, fields: Mapping[str, Any], without: frozenset[str] | set[str]
) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": {
            name: {"description": field.description} for name, field in fields.items() if name not in without
        },
    }
