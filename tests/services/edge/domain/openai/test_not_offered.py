"""An endpoint of OpenAI's API that is not offered is known by its path, with a reason."""

import pytest

from services.edge.domain.openai.not_offered import NOT_OFFERED, why_not_offered


@pytest.mark.parametrize("path", NOT_OFFERED)
def test_all_that_goes_on_behind_a_path_has_its_reason(path: str) -> None:
    for asked in (path, path.removeprefix("/v1"), f"{path}/generations", f"{path}/a/b/c"):
        assert why_not_offered(asked) == NOT_OFFERED[path]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/chat", "/v1/imagesx", "/images.php", "/v2/images"])
def test_other_paths_have_none(path: str) -> None:
    assert why_not_offered(path) is None
