"""A router that generators report to, and a load to report."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc

from services.generator.domain.load import LoadReport
from services.kernel.errors import ComptoirError
from services.runtime.addresses import TlsFiles
from services.runtime.grpc.server_tls import ServerTls
from services.runtime.grpc.status import STATUS, trailing_metadata


class Router(replica_pb2_grpc.ReplicaServiceServicer):
    """A router that remembers reports, and confirms settlements when it is told to."""

    def __init__(self, address: str, number: int = 0, tls: TlsFiles | None = None) -> None:
        self.address = address
        self.tls = tls
        self.number = number
        self.reports: list[replica_pb2.ReportRequest] = []
        self.is_confirming = True
        self.is_hanging = False
        self.called_back: list[int] = []
        self.refusal: ComptoirError | None = None
        self.server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self.server = grpc.aio.server()
        replica_pb2_grpc.add_ReplicaServiceServicer_to_server(self, self.server)
        if self.tls is None:
            self.server.add_insecure_port(self.address)
        else:
            self.server.add_secure_port(self.address, ServerTls(self.address, self.tls).credentials())
        await self.server.start()

    async def stop(self) -> None:
        assert self.server is not None
        await self.server.stop(0)

    async def Report(  # noqa: N802
        self, requests: AsyncIterator[replica_pb2.ReportRequest], context: Any
    ) -> AsyncIterator[replica_pb2.ReportResponse]:
        async for report in requests:
            self.reports.append(report)
            if self.refusal is not None:
                reason = self.refusal.reason
                await context.abort(STATUS[reason], reason.name, trailing_metadata(self.refusal))
            closed = [
                replica_pb2.LeaseIdentity(high=s.lease_id_high, low=s.lease_id_low)
                for s in report.settlements
                if self.is_confirming
            ]
            accepted = [
                replica_pb2.LeaseIdentity(high=a.lease_id_high, low=a.lease_id_low)
                for a in report.acceptances
                if self.is_confirming
            ]
            if self.is_hanging:
                continue
            called_back = [replica_pb2.LeaseIdentity(high=9, low=low) for low in self.called_back]
            self.called_back.clear()
            yield replica_pb2.ReportResponse(
                closed=closed, accepted=accepted, called_back=called_back, router_number=self.number
            )

    @property
    def accepted(self) -> list[int]:
        return [acceptance.lease_id_low for report in self.reports for acceptance in report.acceptances]

    @property
    def settled(self) -> list[int]:
        return [settlement.lease_id_low for report in self.reports for settlement in report.settlements]


class Load:
    def __init__(self) -> None:
        self.requests = 0
        self.is_draining = False

    def __call__(self) -> LoadReport:
        return LoadReport(
            self.requests, self.requests, self.requests, 0, 250, 0.5, is_draining=self.is_draining
        )
