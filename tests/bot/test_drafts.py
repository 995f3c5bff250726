"""What a draft's jobs are asked for."""

from __future__ import annotations

import pytest

from bot.drafts import Draft
from core.params import DEFAULT_METHOD, PaintParams

OWN, MOSAIC = "blob:" + 64 * "a", "gallery:mosaic"


@pytest.mark.parametrize(
    ("style", "usual", "method"),
    [
        (MOSAIC, DEFAULT_METHOD, "gallery"),
        (OWN, DEFAULT_METHOD, DEFAULT_METHOD),
        (MOSAIC, "factorized", "factorized"),
        (OWN, "factorized", "factorized"),
        (MOSAIC, "johnson", "johnson"),
        ("gallery:batik", "johnson", "gallery"),
    ],
)
def test_the_best_method_paints_where_no_usual_one_is_chosen(style: str, usual: str, method: str) -> None:
    params = PaintParams(method=usual)
    draft = Draft(chat=1, photos=["b" * 64], messages=[1], style=style, params=params)
    assert draft.job_params.method == method


@pytest.mark.parametrize(
    ("style", "strokes", "method"),
    [
        (MOSAIC, None, "gallery"),
        (MOSAIC, "gallery:batik", "gallery"),
        (OWN, None, DEFAULT_METHOD),
        (MOSAIC, OWN, DEFAULT_METHOD),
    ],
)
def test_an_own_style_is_painted_although_the_usual_method_knows_the_gallery_only(
    style: str, strokes: str | None, method: str
) -> None:
    params = PaintParams(method="gallery", alpha=0.7)
    draft = Draft(chat=1, photos=["b" * 64], messages=[1], style=style, strokes=strokes, params=params)
    assert (draft.job_params.method, draft.job_params.alpha) == (method, 0.7)
    assert draft.params == params  # the next photo has the usual method again
