"""Bad input gets a clear error in the right shape, and nothing of it stays anywhere."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import openai
import pytest
from comptoir.error.v1 import error_reason_pb2
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from tests.system.event_log import every_record
from tests.system.stack_process import Stack, eventually

pytestmark = pytest.mark.system

CANARY = "zxcanaryq7f3b19c"
HELLO: Any = [{"role": "user", "content": f"Bonjour {CANARY}"}]


def _body(error: openai.APIStatusError) -> dict[str, Any]:
    content: dict[str, Any] = error.response.json()["error"]
    assert set(content) == {"message", "type", "param", "code"}
    assert CANARY not in error.response.text
    assert error.request_id
    return content


def test_a_wrong_key_is_an_authentication_error(stack: Stack) -> None:
    wrong = stack.api_key[:-1] + ("a" if stack.api_key[-1] != "a" else "b")
    for key in (wrong, f"sk-{CANARY}", CANARY):
        with (
            stack.client(max_retries=0, api_key=key) as client,
            pytest.raises(openai.AuthenticationError) as caught,
        ):
            client.chat.completions.create(model=stack.model, messages=HELLO)
        body = _body(caught.value)
        assert body["code"] == "invalid_api_key"
        assert key not in caught.value.response.text


def test_an_unknown_model_is_not_found_and_not_repeated(stack: Stack) -> None:
    with stack.client(max_retries=0) as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=CANARY, messages=HELLO)
    assert _body(caught.value)["code"] == "model_not_found"


def test_a_prompt_over_the_cap_is_a_bad_request(stack: Stack) -> None:
    long: Any = [{"role": "user", "content": f"{CANARY} bonjour " * 1500}]
    for stream in (False, True):
        with stack.client(max_retries=0) as client, pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=stack.model, messages=long, stream=stream)
        assert _body(caught.value)["code"] == "context_length_exceeded"


def test_a_spent_quota_is_a_rate_limit_with_a_time_to_wait(stack: Stack) -> None:
    created = stack.comptoir("keys", "create", "--requests-per-minute", "1", "--json")
    with stack.client(max_retries=0, api_key=json.loads(created.stdout)["api_key"]) as client:
        client.chat.completions.create(model=stack.model, messages=HELLO, max_completion_tokens=2)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=stack.model, messages=HELLO)
    assert _body(caught.value)["code"] == "rate_limit_exceeded"
    assert float(caught.value.response.headers["retry-after"]) > 0


def test_a_revoked_key_is_refused_at_once(stack: Stack) -> None:
    created = json.loads(stack.comptoir("keys", "create", "--json").stdout)
    stack.comptoir("keys", "revoke", str(created["key"]["number"]))
    with (
        stack.client(max_retries=0, api_key=created["api_key"]) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model=stack.model, messages=HELLO)


def test_what_an_operator_did_is_told_with_the_name_of_the_key(stack: Stack) -> None:
    created = json.loads(stack.comptoir("keys", "create", "--label", "audited", "--json").stdout)["key"]
    stack.comptoir("keys", "revoke", str(created["number"]))

    def acts() -> list[tuple[str, str, str]]:
        told = json.loads(stack.comptoir("audit", "--since", "30m", "--json").stdout)["acts"]
        return [
            (act["act"], act["outcome"], act["name"]) for act in told if act["number"] == created["number"]
        ]

    name = f"{created['tenant_name']} audited"
    wanted = [("revoke_key", "done", name), ("create_key", "done", name)]
    eventually(acts, lambda found: [act for act in found if act in wanted] == wanted, 60)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"messages": "' + b"x" * (2 * 1024 * 1024) + b'"}', 413),
        (b'{"model": "' + CANARY.encode() + b'", "messages": [', 400),
        (b'{"model": "m", "model": "' + CANARY.encode() + b'", "messages": []}', 400),
        (b"\xff\xfe" + CANARY.encode(), 400),
        (b"[" * 100_000, 400),
        (b"", 400),
    ],
    ids=["two MiB", "cut JSON", "a key twice", "not UTF-8", "deep", "empty"],
)
def test_a_bad_body_gets_openai_s_error_shape(stack: Stack, content: bytes, status: int) -> None:
    headers = {"authorization": f"Bearer {stack.api_key}", "content-type": "application/json"}
    answer = httpx.post(f"{stack.base_url}/chat/completions", content=content, headers=headers, timeout=30)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert CANARY not in answer.text
    assert answer.headers["x-request-id"]


def test_the_node_client_understands_a_refusal(stack: Stack) -> None:
    node = Path(sys.executable).parent / "node"
    program = Path(__file__).parent / "node" / "chat.mjs"
    arguments = [stack.base_url, stack.api_key, CANARY, "error", CANARY]
    done = subprocess.run([node, program, *arguments], capture_output=True, text=True, timeout=60, check=True)
    error = json.loads(done.stdout)
    assert (error["kind"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert CANARY not in error["message"]
    assert error["request_id"]


def _admit(stack: Stack) -> ticket_pb2.SignedTicket:
    with grpc.insecure_channel(stack.description["grpc"]["router"]) as channel:
        request = router_pb2.AdmitRequest(
            api_key=stack.api_key, model=stack.model, prompt_tokens_upper_bound=100
        )
        return router_pb2_grpc.RouterServiceStub(channel).Admit(request, timeout=30).offer.ticket


def _signed(stack: Stack, claims: ticket_pb2.TicketClaims) -> ticket_pb2.SignedTicket:
    """A ticket as the router would sign it, with claims that the router would not make."""
    seed = bytes.fromhex((stack.data_dir / "secrets" / "signing-key").read_text().strip())
    content = claims.SerializeToString()
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(b"comptoir-ticket-v1\0" + content)
    return ticket_pb2.SignedTicket(claims=content, signature=signature, signing_key_number=1)


def _generate(stack: Stack, ticket: ticket_pb2.SignedTicket) -> Iterator[generator_pb2.GenerateResponse]:
    request = generator_pb2.GenerateRequest(
        ticket=ticket,
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=HELLO[0]["content"])],
        sampling=generator_pb2.Sampling(max_output_tokens=4),
    )
    with grpc.insecure_channel(stack.description["grpc"]["generator"]) as channel:
        yield from generator_pb2_grpc.GeneratorServiceStub(channel).Generate(request, timeout=30)


def _refusal(stack: Stack, ticket: ticket_pb2.SignedTicket) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        list(_generate(stack, ticket))
    failure: Any = caught.value
    assert CANARY not in failure.details() + failure.debug_error_string()
    detail = error_reason_pb2.ErrorDetail.FromString(dict(failure.trailing_metadata())["comptoir-error-bin"])
    told_to_strangers = rpc_status.from_call(failure)
    assert f"ERROR_REASON_{told_to_strangers.message}" == error_reason_pb2.ErrorReason.Name(detail.reason)
    assert CANARY not in str(told_to_strangers)
    return error_reason_pb2.ErrorReason.Name(detail.reason).removeprefix("ERROR_REASON_")


@pytest.mark.parametrize(
    ("process", "service"),
    [
        ("router", "comptoir.router.v1.RouterService"),
        ("generator", "comptoir.generator.v1.GeneratorService"),
    ],
)
def test_a_tool_without_stubs_finds_what_callers_may_call(stack: Stack, process: str, service: str) -> None:
    with grpc.insecure_channel(stack.description["grpc"][process]) as channel:
        schema = ProtoReflectionDescriptorDatabase(channel)
        assert service in schema.get_services()
        assert schema.FindFileContainingSymbol(service).package == service.rpartition(".")[0]


def test_a_ticket_is_good_once(stack: Stack) -> None:
    ticket = _admit(stack)
    assert list(_generate(stack, ticket))[-1].WhichOneof("event") == "finished"
    assert _refusal(stack, ticket) == "TICKET_ALREADY_USED"


def test_an_expired_ticket_is_refused(stack: Stack) -> None:
    claims = ticket_pb2.TicketClaims.FromString(_admit(stack).claims)
    claims.issued_at_microseconds -= 120_000_000
    claims.expires_at_microseconds -= 120_000_000
    assert _refusal(stack, _signed(stack, claims)) == "TICKET_EXPIRED"


def test_a_ticket_for_another_replica_or_region_is_refused(stack: Stack) -> None:
    for field in ("replica", "region"):
        claims = ticket_pb2.TicketClaims.FromString(_admit(stack).claims)
        setattr(claims, field, 77)
        assert _refusal(stack, _signed(stack, claims)) == "TICKET_WRONG_REPLICA"


def test_a_ticket_with_another_signature_is_refused(stack: Stack) -> None:
    ticket = _admit(stack)
    ticket.signature = bytes(64)
    assert _refusal(stack, ticket) == "TICKET_INVALID"


def test_nothing_of_any_input_rests_in_a_file_or_an_event(stack: Stack) -> None:
    """Reads every byte below the data folder, and every record of the event log decompressed.

    The store compresses too; there the types of its columns are the proof.
    """
    with stack.client() as client:
        answer = client.chat.completions.create(model=stack.model, messages=HELLO, max_completion_tokens=4)
    assert answer._request_id is not None
    stack.row_of("generations", answer._request_id)
    forms = [
        CANARY.encode(),
        CANARY.encode("utf-16-le"),
        CANARY.encode().hex().encode(),
        base64.b64encode(CANARY.encode())[:-4],
    ]
    found = [path for path, content in stack.text_at_rest() if any(form in content for form in forms)]
    assert found == []
    key = stack.api_key.encode()
    assert [path for path, content in stack.text_at_rest() if key in content] == []
    records = asyncio.run(every_record(stack.description["kafka"]))
    assert len(records) > 0
    assert [record for record in records if any(form in record for form in [*forms, key])] == []


def test_the_search_for_text_finds_what_is_planted(stack: Stack) -> None:
    planted = stack.data_dir / "logs" / "planted.log"
    planted.write_text(CANARY)
    try:
        assert planted in [path for path, content in stack.text_at_rest() if CANARY.encode() in content]
    finally:
        planted.unlink()
