from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local.models.known import KnownModels, Origin, how_to_serve, known_models
from deploy.local.stack.options import REPOSITORY


def test_every_known_model_has_a_licence_a_source_and_one_origin() -> None:
    known = known_models()
    assert {"tiny-eu", "smollm2-135m"} <= {model.name for model in known.models}
    for model in known.models:
        assert model.licence.url
        assert model.source


def test_what_ships_is_there_and_what_a_package_brings_installs() -> None:
    known = known_models()
    shipped = [model.origin.ships for model in known.models if model.origin.ships]
    assert all((REPOSITORY / folder / "config.json").is_file() for folder in shipped)
    assert known.installable() == ["smollm2-135m"]
    assert known.by_name("no-such") is None


def test_a_model_has_one_origin() -> None:
    with pytest.raises(ValidationError):
        Origin()
    with pytest.raises(ValidationError):
        Origin(ships="deploy/models/tiny-eu", hub="owner/name")


def test_a_name_stands_once() -> None:
    known = known_models()
    with pytest.raises(ValidationError, match="twice"):
        KnownModels(read_on=known.read_on, models=(*known.models, known.models[0]))


@pytest.mark.parametrize(("name", "told"), [("tiny-eu", "it ships"), ("eurollm-1.7b", "utter-project/")])
def test_what_no_package_brings_says_how_it_is_served(name: str, told: str) -> None:
    model = known_models().by_name(name)
    assert model is not None
    assert told in how_to_serve(model)


def test_the_context_that_ships_is_that_of_its_configuration() -> None:
    tiny = known_models().by_name("tiny-eu")
    assert tiny is not None
    config = (REPOSITORY / Path(tiny.origin.ships) / "config.json").read_text(encoding="utf-8")
    assert f'"max_position_embeddings": {tiny.context_tokens}' in config
