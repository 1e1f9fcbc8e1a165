"""A process that asks another region's certificates of its peers does not start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.kernel.catalog import Catalog
from services.runtime.addresses import GrpcListen, GrpcTarget, PeerRegion, TlsFiles
from services.runtime.peer_regions import of_other_regions
from services.runtime.settings import ProcessSettings

TLS = TlsFiles(certificate_file=Path("a"), private_key_file=Path("b"), ca_file=Path("c"))
CATALOG = Catalog.model_validate(
    {"models": [{"number": 1, "name": "tiny-eu", "context_tokens": 64, "max_output_tokens": 32}]}
)
FRANCE, GERMANY = (f"spiffe://comptoir.internal/region/{name}" for name in ("eu-fr", "eu-de"))


class Settings(ProcessSettings):
    """Addresses in each place where settings have them."""

    listen: GrpcListen
    further: tuple[GrpcTarget, ...] = ()
    generator_peer_region: PeerRegion = ""


def settings(*, listen: str = "", further: str = "", replicas: str = "") -> Settings:
    return Settings(
        catalog=CATALOG,
        listen=GrpcListen(address="router:1", tls=TLS, peer_region=listen),
        further=(
            GrpcTarget(address="router:2", tls=TLS),
            GrpcTarget(address="router:3", tls=TLS, peer_region=further),
        ),
        generator_peer_region=replicas,
    )


def test_the_own_region_and_none_are_usable() -> None:
    assert settings().region == "eu-fr"
    own = settings(listen=FRANCE, further=FRANCE, replicas=FRANCE)
    assert list(of_other_regions(own, "eu-fr")) == []
    assert list(of_other_regions(own, "eu-de")) == [
        "listen.peer_region",
        "further.1.peer_region",
        "generator_peer_region",
    ]


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("listen", "listen.peer_region"),
        ("further", "further.1.peer_region"),
        ("replicas", "generator_peer_region"),
    ],
)
def test_another_region_is_refused_by_its_key(place: str, named: str) -> None:
    with pytest.raises(ValidationError, match=f"{named} names another region than region"):
        settings(**{place: GERMANY})
