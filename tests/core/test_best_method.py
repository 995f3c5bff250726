"""The method that paints where nobody chose one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import registry
from core.errors import ModelError, UnknownNameError
from core.params import AUTO, DEFAULT_METHOD
from core.styles import styles


@pytest.mark.parametrize(
    ("names", "method"),
    [
        (["mosaic"], "gallery"),
        (["mosaic", "batik"], "gallery"),
        ([None], DEFAULT_METHOD),
        (["mosaic", None], DEFAULT_METHOD),
        ([], DEFAULT_METHOD),
        (["no-such-style"], DEFAULT_METHOD),
    ],
)
def test_styles_of_the_gallery_are_painted_by_what_has_learned_them(
    names: list[str | None], method: str
) -> None:
    assert registry.best(names).name == method
    assert registry.chosen(AUTO, names) == registry.chosen(None, names) == registry.best(names)
    assert registry.chosen("factorized", names).name == "factorized"


def test_it_takes_every_style_of_the_gallery() -> None:
    assert {registry.best([style.name]).name for style in styles()} == {"gallery"}


def test_where_its_weights_cannot_be_read_the_default_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ModelError(f"The weights '{name}' cannot be read.")

    monkeypatch.setattr("core.weights.current", broken)
    assert registry.best(["mosaic"]).name == DEFAULT_METHOD


def test_unknown_names_and_a_method_called_as_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'adain'"):
        registry.chosen("adian", ["mosaic"])
    with pytest.raises(ValueError, match=AUTO):
        registry.register(replace(registry.method("adain"), name=AUTO))
