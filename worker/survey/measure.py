"""Measures a study's pictures by the metrics of ``core.evaluate``; needs torch, so only command line and workers do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from worker.store import surveys as table
from worker.store.study_models import StudyPairRow
from worker.survey.pictures import Pictures

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from core.nn.vgg import VGG
    from worker.client import Client

SIDE = 256
"""Pictures are scaled to this longest side before they are measured: figures of all pairs compare."""


def measure(
    client: Client,
    name: str,
    vgg: Path | None,
    device: str | None = None,
    progress: Callable[[str], None] = print,
) -> int:
    """Measure what has not been measured yet and keep it with each picture; how many pictures that were.

    SSIM always, Ls and Lc with ``vgg`` (a normalised VGG-19 as safetensors). ``progress`` gets a line per
    picture. Raises ``AllaPrimaError`` when the VGG cannot be read.
    """
    with client.database.read() as session:
        table.find(session, name)
        rows = [row for row in table.pairs(session, name) if row.result_key and row.photo_key and row.params]
    wanted = {"SSIM", "Ls", "Lc"} if vgg else {"SSIM"}
    rows = [row for row in rows if not wanted <= row.metrics.keys()]
    if not rows:
        return 0
    import torch

    from core.device import pick_device
    from core.nn.vgg import load_vgg

    place = pick_device(None if device in (None, "auto") else device)
    network = load_vgg(vgg).to(place).eval() if vgg else None
    pictures = Pictures(client.blobs)
    for row in rows:
        with torch.inference_mode():
            found = _figures(pictures, row, network, place)
        with client.database.write() as session:
            kept = session.get_one(StudyPairRow, row.id)
            kept.metrics = {**kept.metrics, **found}
        progress(f"{row.name}  " + "  ".join(f"{metric} {value:.3f}" for metric, value in found.items()))
    return len(rows)


def _figures(
    pictures: Pictures, row: StudyPairRow, vgg: VGG | None, device: torch.device
) -> dict[str, float]:
    from PIL import Image as Pillow

    from core.evaluate.metrics import structural_similarity, style_and_content
    from core.tensors import to_tensor

    photo, style = (_scaled(pictures.open(row, which)) for which in ("photo", "style"))
    result = pictures.open(row, "result").resize(photo.size, Pillow.Resampling.LANCZOS)
    shown = to_tensor(photo, device), to_tensor(style, device), to_tensor(result, device)
    found = {"SSIM": structural_similarity(shown[2], shown[0])}
    if vgg is not None:
        found["Ls"], found["Lc"] = style_and_content(shown[2], shown[0], shown[1], vgg)
    return found


def _scaled(picture: Image) -> Image:
    from PIL import Image as Pillow

    scale = SIDE / max(picture.size)
    width, height = (max(64, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), Pillow.Resampling.LANCZOS)
