"""Sheets of what VGG's layers know of a picture, cell by cell: pictures made again from single layers, textures from growing
sets of layers, receptive fields, and paintings with shapes of growing weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from PIL import Image

from core.nn.vgg import VGG
from core.optimise import fields
from core.optimise.inversion import Inverting, growing_sets, texturing
from core.optimise.loop import Optimisation
from core.optimise.painter import Painter, picture_of
from core.optimise.recipe import LOOKED_LAYERS, Recipe
from core.params import LOOKS
from core.sheets import Cell, sheet
from core.tensors import to_image, to_tensor

DEEPEST = "5_4"
"""The loss network as far as any layer asked for needs it."""

CONTENTS = (0.0, 0.5, 1.5, 4.0, 10.0)
"""Weights of the photograph's shapes beside the style's, which is 1."""
IN_A_ROW = 3
"""Cells in a row of a sheet with one beginning."""


@dataclass(frozen=True)
class Look:
    """Where a sheet is: the share that is over in [0, 1], what makes the sheet so far, and a line on the cell that has just
    been finished, empty where none has."""

    done: float
    sheet: Callable[[], Image.Image]
    said: str = ""


@dataclass
class Inside:
    """One sheet of a ``picture``, whose shorter side has at least ``SMALLEST_LOOKED`` pixels. Iterating fills the cells.

    ``look``: for "layers" (Mahendran & Vedaldi 2015) there is a row for each of ``layers``, for "textures" (Gatys et al.
    2015) one for each of their growing sets, with a column for each of ``seeds`` (so many beginnings, by their numbers from
    ``first_seed`` on); for "fields" (Luo et al. 2016) a column for each layer. ``vgg``: made ready by
    ``core.optimise.painter.prepare``; ``steps``: at each scale of each cell, or, where they are ``None``, the whole sheet
    takes ``seconds``. Raises ``ModelError`` for a layer that VGG lacks.
    """

    vgg: VGG
    picture: Image.Image
    look: str = LOOKS[0]
    layers: Sequence[str] = LOOKED_LAYERS
    seeds: int = 1
    first_seed: int = 0
    style: Image.Image | None = None
    steps: int | None = 80
    seconds: float = 60.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __iter__(self) -> Iterator[Look]:
        x = to_tensor(self.picture, self.device)
        if self.look == "fields":
            yield from self._fields(x)
            return
        if self.look == "weights":
            yield from self._weights()
            return
        textures = self.look == "textures"
        sets = list(growing_sets(self.vgg)) if textures else [(layer,) for layer in self.layers]
        labels = [
            f"to {layers[-1]}" if textures and place else layers[-1] for place, layers in enumerate(sets)
        ]
        columns = ["picture", *(f"seed {self.first_seed + i}" for i in range(self.seeds))]
        rows: list[list[Cell]] = [
            [None if place else self.picture, *[None] * self.seeds] for place in range(len(sets))
        ]
        whole = len(sets) * self.seeds

        def drawn(row: int = 0, column: int = 0, now: Callable[[], Image.Image] | None = None) -> Image.Image:
            shown = [list(cells) for cells in rows]
            if now is not None:
                shown[row][column] = now()
            if self.seeds == 1:
                return self._side_by_side([cells[1] for cells in shown], labels)
            return sheet(shown, labels, columns, tile=self.picture.size)

        yield Look(0.0, drawn)
        for number in range(whole):
            row, column = number // self.seeds, 1 + number % self.seeds
            seed, seconds = self.first_seed + column - 1, self.seconds / whole
            if textures:
                making = texturing(self.vgg, x, sets[row], steps=self.steps, seconds=seconds, seed=seed)
                for step in making:
                    done = (number + step.done) / whole
                    yield Look(done, lambda: drawn(row, column, lambda: to_image(making.picture)))  # noqa: B023
                rows[row][column], said = to_image(making.picture), f"{labels[row]}  seed {seed}"
            else:
                work = Inverting(self.vgg, x, self.layers[row], self.steps, seconds, seed)
                for share in work:
                    done = (number + share) / whole
                    yield Look(done, lambda: drawn(row, column, lambda: to_image(work.found.picture)))  # noqa: B023
                rows[row][column] = to_image(work.found.picture)
                said = f"{labels[row]}  seed {seed}  distance {work.found.distance:.3g}"
            yield Look((number + 1) / whole, drawn, said)

    def _fields(self, x: torch.Tensor) -> Iterator[Look]:
        cells: list[Cell] = [None] * len(self.layers)

        def drawn() -> Image.Image:
            return self._side_by_side(cells, self.layers)

        yield Look(0.0, drawn)
        for number, layer in enumerate(self.layers):
            found = fields.field(self.vgg, x, layer)
            cells[number] = fields.shown(self.picture, found)
            said = (
                f"{layer}  {found.side} px, {fields.INFLUENCE:.0%} of its influence within {found.effective}"
            )
            yield Look((number + 1) / len(self.layers), drawn, said)

    def _weights(self) -> Iterator[Look]:
        cells: list[Cell] = [None] * len(CONTENTS)
        names = [f"shapes {content:g}" for content in CONTENTS]

        def drawn(number: int = 0, now: Optimisation | None = None) -> Image.Image:
            shown = list(cells)
            if now is not None:
                shown[number] = picture_of(now, self.picture)
            return self._side_by_side(shown, names)

        yield Look(0.0, drawn)
        for number, content in enumerate(CONTENTS):
            painter = Painter(Recipe.parse(content=content, start="photo"), self.vgg, str(self.device))
            work = painter.begin(
                self.picture,
                [self.style or self.picture],
                seconds=self.seconds / len(CONTENTS),
                steps=self.steps,
                seed=self.first_seed,
            )
            for step in work:
                yield Look((number + step.done) / len(CONTENTS), partial(drawn, number, work))
            cells[number] = picture_of(work, self.picture)
            yield Look((number + 1) / len(CONTENTS), drawn, names[number])

    def _side_by_side(self, cells: Sequence[Cell], names: Sequence[str]) -> Image.Image:
        """The picture and one cell for each of ``names``, a few in a row."""
        every, called = [self.picture, *cells], ["picture", *names]
        starts = range(0, len(every), IN_A_ROW)
        return sheet(
            [every[at : at + IN_A_ROW] for at in starts],
            tile=self.picture.size,
            captions=[called[at : at + IN_A_ROW] for at in starts],
        )
