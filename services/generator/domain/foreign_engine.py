"""What a generator is told of an engine that runs in a server of its own."""

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ServerKind(StrEnum):
    """Whose server it is; what it can be asked, and what it calls its numbers, follows from that."""

    VLLM = "vllm"
    SGLANG = "sglang"
    TENSORRT_LLM = "tensorrt_llm"
    LLAMA_CPP = "llama_cpp"


_OF_VECTORS: Final = (ServerKind.LLAMA_CPP,)


class PrefixCache(StrEnum):
    """How tenants are kept apart where an engine keeps prefixes of prompts."""

    # As the kind does it with each request: by salt, or by leaving the cache alone.
    PER_REQUEST = "per_request"
    # The server was started without one.
    OFF = "off"
    # The replica serves one tenant.
    ONE_TENANT = "one_tenant"


class OpenAiServerParameters(BaseModel):
    """The server, and what it was started with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        default="http://127.0.0.1:8000",
        max_length=512,
        description="where the server listens, without `/v1`: `https://…`, `http://` on loopback, or "
        "`unix:///path/of/its.sock`; it must run in the replica's region, as prompts go there",
    )
    kind: ServerKind = Field(
        default=ServerKind.VLLM, description="`vllm`, `sglang`, `tensorrt_llm` or `llama_cpp`"
    )
    served_model: str = Field(
        default="",
        max_length=256,
        description="the model's name at the server; empty means its only one",
    )
    api_key_file: Path | None = Field(
        default=None, description="file with the key that the server asks for, as `Authorization: Bearer`"
    )
    ca_file: Path | None = Field(
        default=None, description="authority that signed the server's certificate, beside the system's"
    )
    prefix_cache: PrefixCache = Field(
        default=PrefixCache.PER_REQUEST,
        description="how tenants are kept apart: `per_request`, by a salt (vLLM, SGLang) or by leaving the "
        "cache alone (llama.cpp); `off`, as the server was started without one; `one_tenant`, as the replica "
        "serves `generator.tenant` alone",
    )
    is_priority_scheduled: bool = Field(
        default=False,
        description="whether the server takes requests from its queue by priority: vLLM with "
        "`--scheduling-policy priority`, SGLang with `--enable-priority-scheduling` and "
        "`--schedule-low-priority-values-first`",
    )
    has_llguidance: bool = Field(
        default=False,
        description="whether the server holds answers to grammars of llguidance: vLLM as it comes, SGLang "
        "with `--grammar-backend llguidance`, TensorRT-LLM with `guided_decoding_backend: llguidance`, "
        "llama.cpp built with `LLAMA_LLGUIDANCE`; without it structured answers and tools are refused",
    )
    start_seconds: float = Field(
        default=600.0, gt=0, description="how long a start waits for the server to answer"
    )
    unreachable_seconds: float = Field(
        default=10.0, gt=0, description="how long the server may not answer before the generator gives it up"
    )
    silence_seconds: float = Field(
        default=120.0,
        gt=0,
        description="longest silence of one answer, its wait in the queue included, before it is given up",
    )
    load_interval_seconds: float = Field(
        default=1.0, gt=0, description="time between two looks at the server's health and metrics"
    )

    @model_validator(mode="after")
    def _no_prompt_leaves_in_plaintext(self) -> Self:
        parts = urlsplit(self.url)
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("url must be a scheme, a host and a path; a key goes into api_key_file")
        if parts.scheme == "unix":
            if parts.netloc or not parts.path:
                raise ValueError("url of a unix socket is unix:///path")
        elif parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must begin with https://, http:// or unix:///")
        elif parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("url is not loopback, so it needs https: prompts would leave in plaintext")
        return self

    @property
    def keeps_tenants_apart(self) -> bool:
        """Whether no tenant can tell by its waits what another asked, however many there are."""
        if self.prefix_cache is PrefixCache.PER_REQUEST:
            return self.kind is not ServerKind.TENSORRT_LLM
        return self.prefix_cache is PrefixCache.OFF

    @property
    def makes_vectors(self) -> bool:
        """Whether vectors can be had of the kind; of the others nobody has seen one."""
        return self.kind in _OF_VECTORS

    @property
    def keeps_inputs_apart(self) -> bool:
        """Whether no tenant can tell by its waits of which inputs others had vectors."""
        # llama.cpp's vectors take no word on its cache.
        return self.prefix_cache is PrefixCache.OFF

    @property
    def takes_long_to_start(self) -> bool:
        """Whether requests come meanwhile: the server may still be loading its model."""
        return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
