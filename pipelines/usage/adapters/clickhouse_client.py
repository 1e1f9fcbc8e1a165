"""One connection to ClickHouse over HTTP, whose failures are about one table's events or about the store."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import default_pool_manager

from pipelines.usage.domain.errors import BadFrameError, Fault, UnavailableError
from pipelines.usage.settings import ClickHouseSettings

# The codes by which ClickHouse says that it does not take these events. They passed every check of this
# build, so the table is another build's, or was changed by hand: the frame waits until that is mended. What
# is not listed, a wrong password included, is about the whole store.
REFUSED_CODES: Final = frozenset(
    {
        8,  # THERE_IS_NO_COLUMN
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        33,  # CANNOT_READ_ALL_DATA
        47,  # UNKNOWN_IDENTIFIER
        53,  # TYPE_MISMATCH
        60,  # UNKNOWN_TABLE
        69,  # ARGUMENT_OUT_OF_BOUND
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        436,  # PROTOBUF_BAD_CAST
        444,  # UNKNOWN_PROTOBUF_FORMAT
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)


class ClickHouse:
    """The driver's synchronous client in threads; it connects when it is first used."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._password = settings.password()
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement that returns nothing; UnavailableError, as it is about no frame's events."""
        await self._call(
            lambda client: client.command(statement, parameters=parameters), is_about_events=False
        )

    async def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Returns the rows of a query."""
        result = await self._call(lambda client: client.query(query, parameters=parameters))
        rows: Sequence[Sequence[Any]] = result.result_rows
        return rows

    async def insert_bytes(
        self, table: str, columns: Sequence[str], body: bytes, settings: Mapping[str, str]
    ) -> None:
        """Inserts bytes in the ProtobufList format; the columns that are not named take their defaults."""
        await self._call(
            lambda client: client.raw_insert(
                table, column_names=columns, insert_block=body, settings=dict(settings), fmt="ProtobufList"
            )
        )

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _call(
        self, work: Callable[[Any], Any], *, is_about_events: bool = True
    ) -> Any:  # the driver is untyped
        try:
            async with self._connecting:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._connect)
            return await asyncio.to_thread(work, self._client)
        except ClickHouseError as error:
            # The driver's text may quote values, so only the code goes on, without the cause.
            code = getattr(error, "code", None) or 0
            if is_about_events and code in REFUSED_CODES:
                raise BadFrameError(Fault.STORE_REFUSED, store_code=code) from None
            raise UnavailableError(type(error).__name__, store_code=code) from None

    def _connect(self) -> Any:  # the driver is untyped
        settings = self._settings
        return clickhouse_connect.get_client(
            interface=settings.url.scheme,
            host=settings.url.host,
            port=settings.url.port,
            username=settings.user,
            password=self._password,
            ca_cert=str(settings.ca_file) if settings.ca_file else None,
            compress=False,
            connect_timeout=10,
            send_receive_timeout=settings.insert_timeout_seconds,
            # Inserts run side by side, which a session would forbid.
            autogenerate_session_id=False,
            client_name="comptoir-usage",
            # Plaintext stays on the machine: a proxy of the environment would read the password.
            pool_mgr=default_pool_manager() if settings.url.scheme == "http" else None,
        )
