"""A key with a scope of endpoints is admitted at those, and nowhere else."""

from dataclasses import replace

import pytest

from services.kernel.errors import Reason
from services.router.domain.tenancy import Endpoint, KeyChange
from tests.fakes.router import AdmissionWorld, refusal_of, request_for


@pytest.mark.parametrize("allowed", list(Endpoint))
async def test_a_request_is_admitted_where_its_key_may_be_used(allowed: Endpoint) -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key()
    for number in world.keys.keys:
        await world.keys.change_key(number, KeyChange(endpoints={allowed}))
    requests = {endpoint: replace(request_for(api_key), endpoint=endpoint) for endpoint in Endpoint}
    await world.admitter.admit(requests.pop(allowed))
    for request in requests.values():
        assert (await refusal_of(world, request)).reason is Reason.ENDPOINT_NOT_ALLOWED
    # Of a refusal nothing stays reserved, and its event says why.
    assert len(world.signer.signed) == 1
    assert [event.reason for event in world.log.events[1:]] == [Reason.ENDPOINT_NOT_ALLOWED] * len(requests)
