"""An image that is built a second time from the same sources is the same image."""

import json
import os
import secrets
from typing import Any

import pytest

from deploy.images import build
from services.runtime import file_lock
from tests.images import engine
from tests.images.opened import buildah

pytestmark = [
    pytest.mark.system,
    pytest.mark.alone,
    pytest.mark.images,
    # A minute of two cores, for what only a change of the Dockerfile or its tools can break.
    pytest.mark.large,
    pytest.mark.timeout(3_600),
]

SMALLEST = "emitter"
# Buildah names its container here; nothing that runs reads it.
OF_THE_BUILD = ("Hostname", "Image")
# The first may have been built of the same files at an earlier commit.
COMMIT = "org.opencontainers.image.revision"


def test_every_layer_of_a_second_build_is_that_of_the_first(images: dict[str, str]) -> None:
    again = build.image(SMALLEST, tag=f"again-{secrets.token_hex(4)}")
    descriptor = file_lock.acquire(engine.cache_folder() / "lock", wait_seconds=3_000)
    try:
        build.build(
            SMALLEST,
            again,
            authorities=engine.AUTHORITIES,
            variables=engine.variables(),
            is_from_scratch=True,
        )
        first, second = inspected(images[SMALLEST]), inspected(again)
    finally:
        buildah("rmi", "--force", again)
        os.close(descriptor)
    assert len(first["RootFS"]["diff_ids"]) > 3
    assert second["RootFS"] == first["RootFS"]
    assert second["Created"] == first["Created"]
    assert described(second) == described(first)


def described(image: dict[str, Any]) -> dict[str, Any]:
    labels = {key: value for key, value in image["config"]["Labels"].items() if key != COMMIT}
    return {key: value for key, value in image["config"].items() if key not in OF_THE_BUILD} | {
        "Labels": labels
    }


def inspected(name: str) -> dict[str, Any]:
    said = json.loads(buildah("inspect", "--type", "image", name))["Docker"]
    return {"RootFS": said["rootfs"], "Created": said["created"], "config": said["config"]}
