"""An endpoint of OpenAI's API that is not offered is known by its path, with a reason."""

import pytest

from services.edge.domain.openai import not_offered
from services.edge.domain.openai.not_offered import NOT_OFFERED, why_not_offered


@pytest.mark.parametrize("path", NOT_OFFERED)
def test_all_that_goes_on_behind_a_path_has_its_reason(path: str) -> None:
    for asked in (path, path.removeprefix("/v1"), f"{path}/generations", f"{path}/a/b/c"):
        assert why_not_offered(asked) == NOT_OFFERED[path]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/chat", "/v1/imagesx", "/images.php", "/v2/images"])
def test_other_paths_have_none(path: str) -> None:
    assert why_not_offered(path) is None


class CountedLookups:
    """How many paths were looked up, and how long they were together."""

    lookups = characters = 0

    def get(self, path: str) -> str | None:
        self.lookups += 1
        self.characters += len(path)
        return NOT_OFFERED.get(path)


@pytest.mark.parametrize("begin", ["", "/v1", "/v1/chat/completions"])
def test_a_path_of_many_steps_is_looked_at_as_far_as_a_known_one_goes(
    begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = CountedLookups()
    monkeypatch.setattr(not_offered, "NOT_OFFERED", counted)
    assert why_not_offered(begin + "/a" * 4000) == NOT_OFFERED.get(begin)
    assert counted.lookups <= 3
    assert counted.characters < 100
