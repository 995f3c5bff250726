"""An ablation: one short training for every combination of some fields' values, a table and a sheet of them all."""

from __future__ import annotations

import csv
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from core.device import describe
from core.errors import ParameterError
from core.evaluate.pairs import measure, network_paint, summarise
from core.sheets import sheet
from core.tensors import to_image
from core.train import checkpoint
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.session import WEIGHTS, Material, load_material
from core.train.tasks import AdaINTask

RESULT = "result.json"
TABLE, CSV, SHEET = "table.md", "table.csv", "sheet.png"
COLUMNS = {"ls": "Ls", "lc": "Lc", "ssim": "SSIM", "lattice": "lattice", "training_seconds": "seconds"}
BEST: dict[str, Callable[..., float]] = {"ls": min, "lc": min, "ssim": max, "lattice": min}
TILE = 192


@dataclass(frozen=True)
class Axis:
    """Recipe fields (``("loss.style",)``) that take the same one of ``values`` in a cell."""

    fields: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Axis:
        """``loss.style=0.1,1`` or, for fields that move together, ``loss.beta_content+loss.beta_style=0.2,1``; values
        are JSON or plain words. Raises ``ParameterError``."""
        keys, equals, given = text.partition("=")
        fields = tuple(key.strip() for key in keys.split("+"))
        if not equals or not given.strip() or not all(fields):
            raise ParameterError(f"--grid takes KEY=VALUE,VALUE,…, not '{text}'.")
        try:
            values = json.loads(f"[{given}]")
        except json.JSONDecodeError:
            values = [_value(word.strip()) for word in given.split(",")]
        if len({json.dumps(value) for value in values}) != len(values):
            raise ParameterError(f"--grid {text}: a value is given twice.")
        return cls(fields, tuple(values))

    @property
    def label(self) -> str:
        """The fields without their sections: "beta_content, beta_style"."""
        return ", ".join(name.rsplit(".", 1)[-1] for name in self.fields)


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass
class Cell:
    """One combination: ``values`` in the order of the axes, its recipe and folder, and what came of it."""

    values: tuple[Any, ...]
    recipe: Recipe
    folder: Path
    result: dict[str, Any] | None = None


@dataclass
class Ablation:
    """Every cell of the grid of ``axes`` over ``recipe`` (a name or a file) with ``changes`` (as ``load_recipe`` takes
    them), in ``folder``.

    ``content``, ``style``, ``vgg``, ``encoder``: as ``Session`` takes them. Each cell starts from the same seed and sees
    the same pictures. ``pairs``: held-out pairs each is measured on; ``shown``: how many of them the sheet shows. Raises
    ``ParameterError`` for a field that does not exist, a recipe that does not paint, and a folder that holds another grid.
    """

    recipe: str
    changes: dict[str, Any]
    axes: Sequence[Axis]
    folder: Path
    content: Sequence[str]
    style: Sequence[str]
    vgg: str
    device: torch.device
    encoder: Path | None = None
    pairs: int = 20
    shown: int = 3
    say: Callable[[str], None] = print
    cells: list[Cell] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        names = [name for axis in self.axes for name in axis.fields]
        if len(set(names)) != len(names):
            raise ParameterError("A field stands in two --grid options; give all its values in one.")
        for values in itertools.product(*(axis.values for axis in self.axes)):
            fields = {
                name.replace(".", "__"): value
                for axis, value in zip(self.axes, values, strict=True)
                for name in axis.fields
            }
            recipe = load_recipe(self.recipe, **self.changes, **fields)
            if recipe.task in ("distill", "classify"):
                raise ParameterError(
                    f"The recipe '{recipe.name}' does not paint, so there is nothing to compare."
                )
            if not recipe.data.hold_out:
                raise ParameterError("The recipe holds out no pictures to measure on; set data.hold_out.")
            self.cells.append(Cell(values, recipe, self.folder / self._slug(values)))
        if not self.style and any(cell.recipe.takes_styles for cell in self.cells):
            raise ParameterError("Give the styles to learn from with --style.")
        self._material: tuple[tuple[int | None, int], Material] | None = None
        self._look_back()

    def _slug(self, values: Sequence[Any]) -> str:
        parts = [f"{a.label.replace(', ', '+')}={_plain(v)}" for a, v in zip(self.axes, values, strict=True)]
        return "cell " + " ".join(parts).replace("/", "_")

    def name(self, cell: Cell) -> str:
        """ "style 0.1, beta_content, beta_style 5"."""
        return "; ".join(f"{a.label} {_plain(v)}" for a, v in zip(self.axes, cell.values, strict=True))

    def _look_back(self) -> None:
        """Take up the cells that are finished; refuse a folder whose cells were trained otherwise."""
        for cell in self.cells:
            written = cell.folder / RESULT
            begun = cell.folder / checkpoint.RECIPE
            before = None
            if written.is_file():
                cell.result = json.loads(written.read_text(encoding="utf-8"))
                before = cell.result["recipe"] | {"pairs": cell.result["pairs"]}
            elif begun.is_file():
                before = json.loads(begun.read_text(encoding="utf-8")) | {"pairs": self._count(cell)}
            if before is not None and before != self._asked(cell):
                raise ParameterError(
                    f"{cell.folder} was trained with other settings; choose another folder with --out."
                )

    def _asked(self, cell: Cell) -> dict[str, Any]:
        return cell.recipe.model_dump(mode="json") | {"pairs": self._count(cell)}

    def _count(self, cell: Cell) -> int:
        return min(self.pairs, cell.recipe.data.hold_out)

    # Running ------------------------------------------------------------------------------------------------

    def run(self, progress: bool = True) -> bool:
        """Train and measure the cells that are left; False when interrupted. Table and CSV are up to date after every
        cell, the sheet at the end."""
        left = [cell for cell in self.cells if cell.result is None]
        if len(left) < len(self.cells):
            self.say(f"{len(self.cells) - len(left)} of {len(self.cells)} cells are finished already")
        begun, finished = time.monotonic(), True
        for done, cell in enumerate(left):
            place = self.cells.index(cell) + 1
            self.say(f"cell {place} of {len(self.cells)}: {self.name(cell)}")
            try:
                finished = self._train(cell, progress)
            except KeyboardInterrupt:  # while it loads or measures; a training sees to interruptions itself
                finished = False
            if not finished:
                break
            self.write()
            minutes = (time.monotonic() - begun) / (done + 1) * (len(left) - done - 1) / 60
            figures = self._figures(cell)
            text = "  ".join(f"{title} {figures[name]:.3f}" for name, title in list(COLUMNS.items())[:-1])
            self.say(f"{text}  ({minutes:.0f} min left)" if minutes else text)
        if any(cell.result for cell in self.cells):
            self.write()
            self.sheet().save(self.folder / SHEET)
        return finished

    def _train(self, cell: Cell, progress: bool) -> bool:
        material = self._load(cell.recipe)
        torch.manual_seed(cell.recipe.seed)
        recipe = cell.recipe.for_pictures(len(material.photos))
        task = material.task(recipe, self.device, self.encoder)
        assert isinstance(task, AdaINTask)
        trainer = Trainer(task, cell.folder, say=self.say, tensorboard=False)
        trainer.resume()
        if not trainer.run(progress=progress):
            return False
        pairs = material.pairs[: self._count(cell)]
        with trainer.swapped():
            paint = network_paint(task.network, self.device)
            figures = measure(paint, pairs, material.teacher)
            for index, pair in enumerate(pairs[: self.shown]):
                to_image(paint(pair.photo, pair.style)).save(cell.folder / f"pair-{index + 1}.png")
        save_file({k: v.contiguous() for k, v in trainer.averaged().items()}, cell.folder / WEIGHTS)
        cell.result = {
            "recipe": cell.recipe.model_dump(mode="json"),
            "steps": trainer.step,
            "training_seconds": round(trainer.seconds, 1),
            "hardware": describe(self.device),
            "pairs": len(pairs),
            "mean": asdict(summarise(figures)),
            "each": [asdict(one) for one in figures],
        }
        draft = cell.folder / f".{RESULT}"
        draft.write_text(json.dumps(cell.result, indent=1), encoding="utf-8")
        os.replace(draft, cell.folder / RESULT)
        (cell.folder / checkpoint.FILE).unlink()
        return True

    def _load(self, recipe: Recipe) -> Material:
        """The pictures and the teacher, the same for all cells that agree in size and in what is held out."""
        key = (recipe.data.resize, recipe.data.hold_out)
        if self._material is None or self._material[0] != key:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._material = (key, load_material(recipe, self.content, self.style, self.vgg, self.folder))
        return self._material[1]

    # What comes of it ---------------------------------------------------------------------------------------

    def _figures(self, cell: Cell) -> dict[str, float]:
        assert cell.result is not None
        return cell.result["mean"] | {"training_seconds": cell.result["training_seconds"]}

    def finished(self) -> list[Cell]:
        """The cells that are trained and measured."""
        return [cell for cell in self.cells if cell.result is not None]

    def table(self) -> str:
        """The finished cells as a Markdown table, the best of each column in bold; ``seconds``: of training."""
        cells = self.finished()
        titles = [axis.label for axis in self.axes] + list(COLUMNS.values())
        lines = [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
        figures = [self._figures(cell) for cell in cells]
        best = {name: choose(f[name] for f in figures) for name, choose in BEST.items()} if cells else {}
        for cell, row in zip(cells, figures, strict=True):
            shown = [_plain(value) for value in cell.values]
            for name in COLUMNS:
                text = f"{row[name]:.0f}" if name == "training_seconds" else f"{row[name]:.3f}"
                shown.append(f"**{text}**" if name in best and row[name] == best[name] else text)
            lines.append(f"| {' | '.join(shown)} |")
        return "\n".join(lines)

    def write(self) -> None:
        """Table and CSV of the finished cells."""
        cells = self.finished()
        result = cells[0].result
        assert result is not None
        recipe = cells[0].recipe
        about = (
            f"Recipe {recipe.name}: {len(cells)} of {len(self.cells)} cells, {result['steps']} steps of batch "
            f"{recipe.batch} on {recipe.data.crop} px crops each, means over {result['pairs']} held-out pairs; "
            f"seconds of training on {result['hardware']}."
        )
        (self.folder / TABLE).write_text(f"{about}\n\n{self.table()}\n", encoding="utf-8")
        with open(self.folder / CSV, "w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            names = list(result["mean"])
            fields = ["+".join(axis.fields) for axis in self.axes]
            writer.writerow([*fields, *names, "steps", "training_seconds"])
            for cell in cells:
                assert cell.result is not None
                means = [round(cell.result["mean"][name], 5) for name in names]
                values = [_plain(value) for value in cell.values]
                writer.writerow([*values, *means, cell.result["steps"], cell.result["training_seconds"]])

    def sheet(self) -> Image.Image:
        """A block per shown pair: photo and style in its first column, then a column for each of the last axis' values;
        rows: what the axes before it take. A single axis goes down the rows."""
        across = self.axes[-1] if len(self.axes) > 1 else None
        down = self.axes[:-1] if across else self.axes
        pairs = self._load(self.cells[0].recipe).pairs[: min(self.shown, self._count(self.cells[0]))]
        width = len(across.values) if across else 1
        lines = [self.cells[start : start + width] for start in range(0, len(self.cells), width)]
        labels = [
            ", ".join(f"{a.label} {_plain(v)}" for a, v in zip(down, line[0].values, strict=False))
            for line in lines
        ]
        # Photo and style stand one above the other, even beside a single line of results.
        if len(lines) < 2:
            lines, labels = [*lines, []], [*labels, ""]
        rows: list[list[Image.Image | None]] = [[] for _ in lines]
        captions: list[list[str | None]] = [[] for _ in lines]
        for index, pair in enumerate(pairs):
            originals = {"photo": to_image(pair.photo), "style": to_image(pair.style)}
            for place, line in enumerate(lines):
                name = ("photo", "style")[place] if place < 2 else None
                rows[place] += [
                    originals[name] if name else None,
                    *(self._picture(cell, index) for cell in line),
                ]
                captions[place] += [name, *(self._caption(cell, index) for cell in line)]
        columns = [f"{across.label} {_plain(v)}" for v in across.values] if across else ["result"]
        recipe = self.cells[0].recipe
        return sheet(
            rows,
            labels,
            [label for index in range(len(pairs)) for label in (f"pair {index + 1}", *columns)],
            TILE,
            title=f"Ablation of {recipe.name}",
            subtitle=f"{recipe.steps} steps of batch {recipe.batch}; Ls and Lc of each picture below it",
            captions=captions,
        )

    def _picture(self, cell: Cell, index: int) -> Image.Image | None:
        path = cell.folder / f"pair-{index + 1}.png"
        if cell.result is None or not path.is_file():
            return None
        with Image.open(path) as image:
            return image.convert("RGB")

    def _caption(self, cell: Cell, index: int) -> str | None:
        if cell.result is None:
            return None
        one = cell.result["each"][index]
        return f"Ls {one['ls']:.2f}  Lc {one['lc']:.2f}"
