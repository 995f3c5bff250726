"""The sessions of a training process, and what a slice does with one: check, open, describe, measure, finish.

The last session stays open between slices: pictures are decoded and the teacher is asked only once."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core import registry, weights
from core.device import describe as describe_device
from core.device import pick_device, use_threads
from core.errors import AllaPrimaError, UnknownNameError
from core.evaluate.hatching import quick_hatching
from core.evaluate.pairs import Figures, Pair, measure, summarise
from core.params import PaintParams
from core.tensors import to_image, to_tensor
from core.train import checkpoint
from core.train.check import check as check_pictures
from core.train.recipe import Recipe, restored
from core.train.session import Session
from core.weights import Weights
from worker.plugins import load_extra_methods
from worker.store.models import ModelVersion
from worker.tasks.work import Work
from worker.training.faults import Elsewhere
from worker.training.folder import CHECK, REFERENCE, TrainingFolder
from worker.training.record import code_version

if TYPE_CHECKING:
    from core.methods.contract import Method

log = logging.getLogger(__name__)


@dataclass
class OpenSession:
    """The session of a training that this process has open. ``stamp``: of the checkpoint it wrote last."""

    training: str
    session: Session
    stamp: tuple[int, int] | None = None
    recipe: Recipe | None = None


_open: OpenSession | None = None


def forget() -> None:
    """Close the open session."""
    global _open
    _open = None


def check(work: Work) -> None:
    """Look at the pictures and keep what was found; raises ``ParameterError`` when there are too few."""
    row, recipe = work.row, restored(work.row.recipe)
    found, stored = {}, {}
    for what, paths in (("photos", row.material["content"]), ("styles", row.material["style"])):
        if not paths:
            continue  # a task that learns from photos alone
        work.folder.say(f"looking at the {what}")
        checked = check_pictures(paths, what, recipe, lambda _: work.look_up())
        found[what] = checked
        stored[what] = checked.as_json()
        for line in checked.lines():
            work.folder.say(line)
    work.folder.write_json(CHECK, stored)
    record = {**row.record}
    for what, checked in found.items():
        record |= {
            what: checked.usable,
            f"{what}_fingerprint": checked.fingerprint,
            f"{what}_counts": checked.counts,
        }
    work.values["record"] = record
    for checked in found.values():
        checked.demand()


def open_session(work: Work) -> OpenSession:
    """The session of a slice's training: the one kept open, when nobody else has worked at it since, else a new one
    at the checkpoint. Raises ``Elsewhere`` when that is missing."""
    global _open
    row, folder = work.row, work.folder
    load_extra_methods(work.settings)
    if (
        _open is not None
        and _open.training == row.id
        and _open.session.trainer.step == row.step
        and _open.recipe == restored(row.recipe)
        and _open.stamp is not None
        and _open.stamp == _stamp(folder)
    ):
        return _open
    _open = None
    if row.step and _stamp(folder) is None:
        raise Elsewhere(
            f"The checkpoint of step {row.step} is not in {folder.path} on this machine: workers that share trainings "
            "need one folder (ALLAPRIMA_TRAINING_DIR)."
        )
    recipe, material, settings = restored(row.recipe), row.material, work.settings
    use_threads(settings.threads)
    device = pick_device(None if settings.device == "auto" else settings.device)
    torch.manual_seed(recipe.seed)
    session = Session(
        recipe,
        material["content"],
        material["style"],
        material["vgg"],
        folder.path,
        device,
        encoder=_path(material.get("encoder")),
        start=_path(material.get("start")),
        say=folder.say,
    )
    if session.trainer.resume():
        folder.say(f"goes on from the checkpoint of step {session.trainer.step}")
        if changed := checkpoint.differences(folder.path, session.recipe):
            folder.say(f"from here on {checkpoint.in_words(changed)}")
            checkpoint.change(folder.path, session.recipe, session.trainer.step)
    work.look_up()
    _open = OpenSession(row.id, session, recipe=recipe)
    return _open


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _stamp(folder: TrainingFolder) -> tuple[int, int] | None:
    try:
        status = os.stat(folder.path / checkpoint.FILE)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def describe(work: Work, opened: OpenSession) -> None:
    """Keep the experiment's record up to date, in the row and beside the curves."""
    opened.stamp = _stamp(work.folder)
    session, row = opened.session, work.row
    curves, validation = work.folder.curves(points=10**9), work.folder.validation()
    record = {
        **row.record,
        "code": code_version(),
        "seed": session.recipe.seed,
        "network": getattr(session.task.network, "config", None),
        "hardware": describe_device(session.device),
        "torch": torch.__version__,
        "results": {
            "step": session.trainer.step,
            "losses": {name: curves.last(name) for name in curves.losses},
            "validation": validation[-1] if validation else {},
        },
    }
    work.values |= {"record": record, "steps": session.trainer.recipe.steps}
    whole = {
        "id": row.id,
        "name": row.name,
        "recipe": row.recipe,
        "material": row.material,
        "created_at": row.created_at,
        "slices": row.slices,
        "seconds": round(session.trainer.seconds, 1),
        "rollbacks": session.trainer.rollbacks,
        **record,
    }
    work.folder.write_json("record.json", whole)


def finish(work: Work, opened: OpenSession) -> None:
    """Write the averaged weights of a training that has reached its last step."""
    opened.session.save_weights()
    opened.stamp = _stamp(work.folder)


def as_people_see(
    method: Method, tell: Callable[[], None] | None = None
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A method as the evaluation takes it: 8-bit pictures in and out. ``tell``: called before each painting."""
    params = PaintParams(method=method.spec.name)

    def paint(photo: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        if tell is not None:
            tell()
        return to_tensor(method.stylize(to_image(photo), to_image(style), params))

    return paint


def measure_model(
    method: Method, pairs: Sequence[Pair], opened: OpenSession, tell: Callable[[], None]
) -> list[Figures]:
    """A loaded method on the training's held-out pairs, by the training's teacher. ``tell``: called before each painting,
    may raise to stop."""
    return measure(as_people_see(method, tell), pairs, opened.session.teacher)


def measure_models(work: Work, opened: OpenSession) -> None:
    """After the first milestone: shipped models, and published ones in use, on the same pairs, for the table beside
    the training's figures."""
    pairs = opened.session.pairs
    if not pairs or not work.folder.validation() or opened.session.recipe.task.startswith("distill"):
        return
    found = work.folder.reference()
    for spec in registry.quick_methods(any_style=True):
        for entry in _entries(spec.weights):
            title = in_use(work, spec.weights, entry.sha256)
            if title in found:
                continue
            try:
                with weights.trying(entry):
                    method = registry.load(spec.name, str(opened.session.device))
                summary = asdict(summarise(measure_model(method, pairs, opened, work.look_up)))
                summary["hatching"] = quick_hatching(as_people_see(method, work.look_up))
            except AllaPrimaError as error:
                # Damaged weights: the others are compared all the same.
                log.warning("%s is not compared: %s", title, error)
                continue
            found[title] = {name: round(value, 4) for name, value in summary.items() if math.isfinite(value)}
            work.folder.write_json(REFERENCE, found)
            work.folder.say(f"measured {title} on the same pairs")


def _entries(name: str) -> list[Weights]:
    """The model in use and the shipped one, if they differ; none for a method without weights of ours."""
    try:
        found = [weights.current(name)]
    except UnknownNameError:
        return []
    shipped = weights.manifest().get(name)
    if shipped is not None and shipped.sha256 != found[0].sha256:
        found.append(shipped)
    return found


def in_use(work: Work, name: str, digest: str) -> str:
    """What the model in use is called: "adain 3", or "adain (shipped)"."""
    from sqlalchemy import select

    query = select(ModelVersion.version).where(ModelVersion.name == name, ModelVersion.sha256 == digest)
    with work.context.database.read() as session:
        version = session.scalar(query.order_by(ModelVersion.version.desc()).limit(1))
    return f"{name} (shipped)" if version is None else f"{name} {version}"
