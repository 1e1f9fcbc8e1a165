"""What the page of Kafka says of settings is settings: its blocks are read as a process reads them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.usage.settings import KafkaSettings as UsageKafka
from services.emitter.settings import KafkaSettings as EmitterKafka
from services.runtime.kafka_target import KafkaTarget

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "kafka.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
CLASSES: dict[str, type[KafkaTarget]] = {"emitter": EmitterKafka, "usage": UsageKafka}


@pytest.mark.parametrize(
    ("section", "settings"), [(name, part["kafka"]) for block in BLOCKS for name, part in block.items()]
)
def test_each_block_of_settings_is_usable(section: str, settings: dict[str, Any]) -> None:
    target = CLASSES[section].model_validate(settings)
    assert (target.sasl is None) != (target.tls is None)


def test_both_ways_to_say_who_a_process_is_are_shown() -> None:
    assert [sorted(block) for block in BLOCKS] == [["emitter", "usage"], ["emitter"]]
