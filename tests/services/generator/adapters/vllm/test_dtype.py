from types import SimpleNamespace
from typing import Any

import pytest

from services.generator.adapters.vllm.dtype import log_dtype


@pytest.mark.parametrize(
    ("own", "chosen", "level", "event"),
    [
        ("torch.float32", "torch.bfloat16", "warning", "dtype_narrowed"),
        ("torch.float32", "torch.float32", "info", "dtype_chosen"),
        ("torch.bfloat16", "torch.bfloat16", "info", "dtype_chosen"),
        ("torch.bfloat16", "torch.float16", "info", "dtype_chosen"),
        (None, "torch.bfloat16", "info", "dtype_chosen"),
    ],
)
def test_what_was_chosen_is_logged_and_a_loss_of_precision_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, own: str | None, chosen: str, level: str, event: str
) -> None:
    said: list[tuple[str, str, dict[str, Any]]] = []
    log = SimpleNamespace(
        info=lambda event, **fields: said.append(("info", event, fields)),
        warning=lambda event, **fields: said.append(("warning", event, fields)),
    )
    monkeypatch.setattr("services.generator.adapters.vllm.dtype._log", log)
    model = SimpleNamespace(dtype=chosen, hf_config=SimpleNamespace(dtype=own))
    assert log_dtype(model) == chosen.removeprefix("torch.")
    assert said == [(level, event, {"dtype": chosen.removeprefix("torch.")})]
