"""Tables, CSV files and sheets of an evaluation."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.evaluate.pairs import Figures, Paint, Pair, Summary
from core.sheets import sheet
from core.tensors import to_image

COLUMNS = {
    "ls": "Ls",
    "ls_median": "(median)",
    "lc": "Lc",
    "lc_median": "(median)",
    "gram": "Gram",
    "patches": "patch MMD",
    "ssim": "SSIM",
    "lattice": "lattice",
    "lattice_photo": "photo's",
    "glow": "glow",
    "fringe": "fringe",
    "seconds": "s/picture",
}


def pairs_sheet(pairs: Sequence[Pair], paints: Mapping[str, Paint], tile: int = 256) -> Image.Image:
    """A labelled sheet: photo, style and each model's result, a row a pair."""
    rows = [
        [
            to_image(pair.photo),
            to_image(_fit(pair.style, pair.photo)),
            *(to_image(p(pair.photo, pair.style)) for p in paints.values()),
        ]
        for pair in pairs
    ]
    return sheet(rows, [str(i + 1) for i in range(len(rows))], ["photo", "style", *paints], tile)


def _fit(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def table(summaries: Mapping[str, Summary]) -> str:
    """The summaries as a Markdown table."""
    lines = [
        f"| model | {' | '.join(COLUMNS.values())} | pairs |",
        f"| --- | {' | '.join('---' for _ in COLUMNS)} | --- |",
    ]
    for name, summary in summaries.items():
        cells = [f"{getattr(summary, column):.3f}" for column in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} | {summary.pairs} |")
    return "\n".join(lines)


def write_csv(path: Path, figures: Mapping[str, Sequence[Figures]], pairs: Sequence[Pair]) -> None:
    """One line per model and pair."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["model", "pair", *(f.name for f in fields(Figures))])
        writer.writeheader()
        for model, rows in figures.items():
            for pair, row in zip(pairs, rows, strict=True):
                writer.writerow(
                    {"model": model, "pair": pair.name, **{k: round(v, 5) for k, v in asdict(row).items()}}
                )
