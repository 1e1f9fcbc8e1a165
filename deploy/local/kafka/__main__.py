"""Runs one Apache Kafka broker on loopback: `python -m deploy.local.kafka --config FILE`."""

from deploy.local.kafka.broker import BrokerError
from deploy.local.kafka.data_folder import DataFolderError
from deploy.local.kafka.jars import JarsError
from deploy.local.kafka.process import build, prepare
from deploy.local.kafka.settings import SECTION, LocalKafkaSettings
from deploy.local.kafka.topics import TopicsError
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    run_process(
        SECTION,
        LocalKafkaSettings,
        build,
        description=__doc__ or "",
        prepare=prepare,
        failures=(JarsError, DataFolderError, TopicsError, BrokerError),
    )


if __name__ == "__main__":
    main()
