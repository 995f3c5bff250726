"""Model cards: what a set of weights is, how it was made, how good it is, where it fails. Generated, never typed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from core.evaluate.axes import axes_sheet
from core.evaluate.pairs import Summary
from core.evaluate.report import table
from core.images import read_picture, resize_longest
from core.methods.contract import Method
from core.methods.feedforward import FeedForward
from core.params import PaintParams
from core.samples import samples
from core.sheets import sheet
from core.styles import style_path, styles
from core.weights import FOLDER, Weights

SHEET_STYLES = ("oil-flow", "stained-glass", "woodcut", "ink-wash")
SHEET_ALPHAS = (0.5, 1.0)
PATTERNED_STYLES = ("woodcut", "mosaic", "engraving", "stained-glass")
"""Styles whose character is in the shape of their parts."""

METHODS_SHEET = "methods.webp"

LIMITS = (
    "Large flat regions take on a little of the style's texture. Styles whose character is in the shape of their "
    "parts (mosaic, stained glass) give their colours and contrasts, not their cells. In the most colourful styles a "
    "faint rim or a stray stroke of colour may stand beside things before a plain background. Beyond strength 1 colours "
    "clip. Faces keep their features but are not treated specially."
)


def write_card(
    entry: Weights, method: Method, summaries: Mapping[str, Summary], notes: list[str], measured: str
) -> Path:
    """Write ``NAME.md`` and the sheet ``NAME.webp`` beside the weights; returns the card's path.

    ``summaries``: rows of the table by their labels; ``notes``: further measured lines; ``measured``: how (pairs, sizes,
    precision). A sheet of several methods (``write_methods_sheet``) that lies there is shown.
    """
    spec, training = method.spec, entry.training
    picture = entry.path.with_suffix(".webp")
    _save(_sheet(method), picture)
    made = [
        f"- Recipe: `{json.dumps(training.get('recipe', {}), sort_keys=True)}`",
        f"- Iterations: {training.get('steps', 'unknown')}, in {training.get('minutes', '?')} minutes on "
        f"{training.get('hardware', 'unknown hardware')}",
        f"- Material: {training.get('photos', '?')} photographs, {training.get('styles', '?')} styles",
    ]
    if "gallery" in training:
        made[-1] += f", and the program's own gallery ({training['gallery']} pictures)"
    if "encoder" in training:
        made.append(f"- Encoder: {training['encoder']}")
    if "changes" in training:
        made.append(f"- Changed on the way: {training['changes']}")
    if "averaged" in training:
        made.append(f"- Averaged in the end, weight by weight: {training['averaged']}")
    grid = []
    if spec.has_bands and isinstance(method, FeedForward):
        strengths = entry.path.with_name(f"{entry.path.stem}-strengths.webp")
        photo, style = read_picture(samples()[0]), read_picture(style_path(SHEET_STYLES[0]))
        _save(axes_sheet(method, photo, style), strengths)
        grid = [f"![both strengths from 0 to 1.5]({strengths.name})", ""]
    if entry.path.with_name(METHODS_SHEET).exists():
        grid += [f"![patterned styles by all methods]({METHODS_SHEET})", ""]
    lines = [
        f"# {spec.title} (`{entry.name}`)",
        "",
        f"{spec.summary} After {spec.paper}; see `{spec.factory.partition(':')[0].replace('.', '/')}.py`.",
        "",
        f"![photo, style, strengths {', '.join(map(str, SHEET_ALPHAS))}]({picture.name})",
        "",
        *grid,
        "## File",
        "",
        f"- `{entry.path.name}`, {entry.path.stat().st_size / 1e6:.1f} MB, {entry.parameters:,} parameters, "
        f"{training.get('precision', 'float32')}",
        f"- SHA-256 `{entry.sha256}`",
        f"- Network: `{json.dumps(entry.network)}`",
        "",
        "## Training",
        "",
        *made,
        "",
        "## Measured",
        "",
        measured,
        "",
        table(summaries),
        "",
        *[f"- {note}" for note in notes],
        "",
        "Ls: distance of channel means and deviations to the style's on normalised VGG-19, relu1_1 to relu4_1. Lc: "
        "distance of instance-normalised relu4_1 to the photograph's. Gram: relative distance of Gram matrices to the "
        "style's, relu1_1 to relu4_1. patch MMD: distance of the distributions of 3×3 patches of relu2_1 and relu3_1 to "
        "the style's, Gaussian kernel. SSIM: luma, to the photograph. lattice: "
        "strength of 2-, 4- and 8-pixel lattices in the spectrum, beside the photographs' own. glow: share of the contrast "
        "that is a glow around light and dark things, 0 for any tone curve. fringe: share of it that lies as fringes of "
        "any colour in calm places beside edges. Definitions: `core/evaluate/metrics.py` and `patterns.py`.",
        "",
        "## Limits",
        "",
        method.limits or LIMITS,
        "",
        "## Licence",
        "",
        (FOLDER / "TERMS.md").read_text(encoding="utf-8").strip(),
        "",
    ]
    path = entry.path.with_suffix(".md")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _sheet(method: Method) -> Image.Image:
    """Our own samples in gallery styles, at a few strengths."""
    name = method.spec.name
    strengths = {
        f"strength {a:g}": (method, PaintParams(method=name, alpha=a, alpha_high=a, alpha_low=a))
        for a in SHEET_ALPHAS
    }
    learned = method.spec.styles
    return _own_pictures(SHEET_STYLES if learned is None else _of_gallery(learned)[:4], strengths)


def _of_gallery(names: Sequence[str]) -> list[str]:
    """Those of these styles that are the gallery's: the ones a method's sheet is known for first."""
    known = [style.name for style in styles() if style.name in names]
    return sorted(known, key=lambda name: name not in SHEET_STYLES)


def methods_sheet(methods: Sequence[Method]) -> Image.Image:
    """Our own samples in ``PATTERNED_STYLES``, by several methods side by side, full strength."""
    return _own_pictures(
        PATTERNED_STYLES, {m.spec.title: (m, PaintParams(method=m.spec.name)) for m in methods}
    )


def write_methods_sheet(picture: Image.Image) -> Path:
    """Write a ``methods_sheet`` beside the weights; returns its path."""
    path = FOLDER / METHODS_SHEET
    _save(picture, path)
    return path


def _own_pictures(
    styles: Sequence[str], paintings: Mapping[str, tuple[Method, PaintParams]], side: int = 288
) -> Image.Image:
    """A row per style: sample, style, and the paintings under their labels."""
    rows = []
    for photo_path, name in zip(samples(), styles, strict=False):
        photo, style = resize_longest(read_picture(photo_path), 512), read_picture(style_path(name))
        painted = [
            m.stylize(photo, style, params) if m.spec.paints_in([name]) else None
            for m, params in paintings.values()
        ]
        rows.append([photo, style, *painted])
    return sheet(rows, None, ["photo", "style", *paintings], side)


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=80, method=6)
