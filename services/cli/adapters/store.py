"""Questions to the store, over the ClickHouse HTTP interface as any analyst's client asks them."""

from typing import Any

from services.cli.stack.errors import StackError


class Store:
    """The store at `url`, read with the rights that everyone has."""

    def __init__(self, url: str) -> None:
        self._url = url

    def latency_by_hour(self, columns: tuple[str, ...], hours: int) -> list[dict[str, Any]]:
        """Rows of the view `latency_by_hour` of the last `hours` hours, newest first."""
        names = ", ".join(columns)
        query = (
            f"SELECT {names} FROM comptoir.latency_by_hour "  # noqa: S608 - names are our own
            "WHERE hour > now() - toIntervalHour({hours:UInt32}) ORDER BY hour DESC, region, model"
        )
        import clickhouse_connect  # noqa: PLC0415 - takes half a second, which no other command needs
        from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415

        try:
            client = clickhouse_connect.get_client(dsn=self._url)
            with client:
                return list(client.query(query, parameters={"hours": hours}).named_results())
        except (ClickHouseError, OSError):
            raise StackError(
                f"The store at {self._url} did not answer; is it running? `comptoir status` tells."
            ) from None
