"""A training's weights become the next version of a method's model: loaded as the method loads them, measured beside
the model in use, written down in a card, stored for all machines, put into use."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from core import registry, weights
from core.device import describe as describe_device
from core.errors import AllaPrimaError, ModelError, ParameterError
from core.evaluate.card import write_card
from core.evaluate.metrics import psnr
from core.evaluate.pairs import Pair, Summary, held_out_pairs, learned_pairs, summarise
from core.evaluate.report import table
from core.methods.contract import Method
from core.params import PaintParams
from core.tensors import to_image, to_tensor
from core.train.data import PictureSet
from core.train.export import export
from core.train.session import style_pictures
from core.weights import Weights
from worker.tasks.sessions import OpenSession, describe, in_use, measure_model, open_session
from worker.tasks.work import Work
from worker.training import published

PAIRS = 60
IDENTITY_PAIRS = 10
SIDE = 256


class Count:
    """Counts the pictures painted for a publication, ``total`` in all, and tells its slice."""

    def __init__(self, work: Work, total: int) -> None:
        self.work, self.total, self.done = work, max(1, total), 0

    def measuring(self, what: str) -> Callable[[], None]:
        """To be called before each painting made to measure ``what``; raises when the slice is to stop."""

        def tell() -> None:
            self.work.look_up()
            self.work.course(f"Measuring {what}", self.done / self.total)
            self.done += 1

        return tell


def publish(work: Work) -> str:
    """Publish the training of a slice; the sentence that says as what. Raises ``ModelError`` when the method cannot be
    built with the weights, which then never come into use."""
    wanted = work.row.publish
    work.course("Reading the weights", 0.0)
    method_name, name = wanted["method"], wanted["weights"]
    opened = open_session(work)
    describe(work, opened)
    place = work.folder.path / "publication"
    shutil.rmtree(place, ignore_errors=True)
    try:
        entry = _write(opened, name, place, work)
        record = _measure(work, opened, method_name, entry)
        _write_entry(entry, place)
        work.look_up()
        work.course("Storing the model", 1.0)
        files = published.store(work.context.blobs.backend, place)
        with work.context.database.write() as session:
            work.context.database.lock(session, "models")
            version = published.add(
                session, name, work.row.id, entry.sha256, {**record, "files": files, "method": method_name}
            )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    published.sync(work.context.database, work.context.blobs.backend, work.settings)
    sentence = f"Published as {name} {version} (SHA-256 {entry.sha256[:12]}…)."
    work.folder.say(sentence)
    return sentence


def _write(opened: OpenSession, name: str, place: Path, work: Work) -> Weights:
    network: dict[str, Any] | None = getattr(opened.session.task.network, "config", None)
    if network is None:
        raise ParameterError("Only whole networks can be published, not a distillation.")
    training = {**opened.session.record(), "run": work.row.id}
    if encoder := work.row.material.get("encoder"):
        training["encoder"] = f"from {Path(encoder).name}, SHA-256 {weights.file_digest(Path(encoder))[:12]}…"
    digest = export(name, opened.session.trainer.averaged(), network, place, training)
    count = sum(value.numel() for value in opened.session.task.network.state_dict().values())
    return Weights(name, place / f"{name}.safetensors", digest, network, count, training)


def _write_entry(entry: Weights, place: Path) -> None:
    fields = {
        "sha256": entry.sha256,
        "network": entry.network,
        "parameters": entry.parameters,
        "training": entry.training,
    }
    (place / weights.ENTRY).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def _measure(work: Work, opened: OpenSession, method_name: str, entry: Weights) -> dict[str, Any]:
    """Measure the new weights and those in use on the same pairs, and write the card."""
    device = str(opened.session.device)
    pairs, origin = _pairs(opened, work)
    summaries: dict[str, Summary] = {}
    count = Count(work, 2 * len(pairs) + min(len(pairs), IDENTITY_PAIRS))
    try:
        old = weights.current(entry.name)
        title = in_use(work, entry.name, old.sha256)
        summaries[title] = summarise(
            measure_model(registry.load(method_name, device), pairs, opened, count.measuring(title))
        )
    except AllaPrimaError as error:
        work.folder.say(f"the model in use is not compared: {error}")
    with weights.trying(entry):
        try:
            method = registry.load(method_name, device)
        except (TypeError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"The method '{method_name}' cannot use a network of this kind ({error}); "
                "publish it as another one."
            ) from None
        count.done = len(pairs)
        new = summarise(measure_model(method, pairs, opened, count.measuring("the new weights")))
        measured = (
            f"{len(pairs)} {origin}, centre crops of {SIDE} px, the precision of use, on "
            f"{describe_device(method.device)}; the time counts encoding the style, too."
        )
        notes = [_identity(method, pairs, count), *_beside(summaries)]
        write_card(entry, method, {entry.name: new}, notes, measured)
    summaries[f"{entry.name} (new)"] = new
    text = table(summaries)
    work.folder.say(f"measured for publication: {text}")
    (work.folder.path / "evaluation.md").write_text(text + "\n", encoding="utf-8")
    figures = {
        title: {k: round(v, 4) for k, v in asdict(summary).items() if math.isfinite(v)}
        for title, summary in summaries.items()
    }
    return {
        "entry": {"network": entry.network, "parameters": entry.parameters, "training": entry.training},
        "figures": figures,
        "recipe": work.row.recipe["name"],
    }


def _pairs(opened: OpenSession, work: Work) -> tuple[list[Pair], str]:
    """The held-out pairs, or, where the recipe holds none out, some it has learned from; and how to call them."""
    if opened.session.pairs:
        return opened.session.pairs, "pairs of held-out pictures"
    material, recipe = work.row.material, opened.session.recipe
    photos = PictureSet(material["content"], short_side=recipe.data.resize)
    choose = learned_pairs if recipe.learns_styles else held_out_pairs
    pairs = choose(photos, style_pictures(recipe, material["style"]), PAIRS, SIDE)
    return pairs, "pairs of pictures that it was trained on"


def _identity(method: Method, pairs: list[Pair], count: Count) -> str:
    """How faithful the method is where nothing should change."""
    some = pairs[:IDENTITY_PAIRS]
    tell = count.measuring("how faithful strength 0 is")
    zero = PaintParams(method=method.spec.name, alpha=0.0)
    exact = []
    for pair in some:
        tell()
        painted = method.stylize(to_image(pair.photo), to_image(pair.style), zero)
        exact.append(psnr(to_tensor(painted), pair.photo))
    return f"PSNR at strength 0: {fmean(exact):.1f} dB"


def _beside(summaries: dict[str, Summary]) -> list[str]:
    return [
        f"On the same pairs {title} has Ls {summary.ls:.3f}, Lc {summary.lc:.3f}, SSIM {summary.ssim:.3f}."
        for title, summary in summaries.items()
    ]
