"""The dead-letter topic: reason and position of each frame that cannot be stored."""

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import Letter
from pipelines.usage.settings import KafkaSettings


class KafkaDeadLetters:
    """Written one at a time, each acknowledged by all in-sync copies before the consumer goes on."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._producer = AIOKafkaProducer(
            **settings.connection(),
            client_id="comptoir-usage",
            # Not idempotent: a letter sent twice has the same key and says the same, and the library's
            # idempotent producer does not recover from a sequence error (aio-libs/aiokafka#1017).
            acks="all",
            request_timeout_ms=10_000,
        )

    async def start(self) -> None:
        """Connects; UnavailableError if Kafka does not answer."""
        try:
            await self._producer.start()
        except KafkaError as error:
            raise UnavailableError(type(error).__name__, is_log=True) from None

    async def put(self, letter: Letter) -> None:
        """Returns once the letter is durable."""
        try:
            await self._producer.send_and_wait(self._topic, letter.value, key=letter.key)
        except KafkaError as error:
            raise UnavailableError(type(error).__name__, is_log=True) from None

    async def stop(self) -> None:
        """Closes the connections."""
        await self._producer.stop()
