"""All styles of the gallery learned one by one, into the weights of the method ``gallery``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.errors import ModelError
from core.images import read_picture
from core.learn.loop import Learning
from core.learn.style import LearnedStyle
from core.methods.moments import MomentsMethod
from core.nn.codec import AdaINNetwork
from core.nn.gallery import thumbnail
from core.nn.vgg import VGG
from core.styles import styles
from core.tensors import to_tensor

Say = Callable[[str], None]


def learn_gallery(
    method: MomentsMethod,
    vgg: VGG,
    photos: Sequence[Image.Image],
    folder: Path,
    *,
    steps: int,
    say: Say = lambda _: None,
) -> dict[str, LearnedStyle]:
    """Learn what ``folder`` does not hold yet, a file for each style, so that it can be stopped and gone on with. The
    arguments are those of ``Learning``; ``say`` hears a line for each style. Raises ``ModelError`` where the folder's files
    belong to another network."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, style in enumerate(styles(), 1):
        path = folder / f"{style.name}.webp"
        if not path.exists():
            picture = read_picture(style.file)
            learning = Learning(method, vgg, picture, photos, steps=steps)
            for step in learning:  # noqa: B007, the last one is told of
                pass
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(learning.learned(style.title).file(picture))
            temporary.replace(path)
            say(
                f"{number} of {len(styles())}: {style.title}, {step.seconds:.0f} s; distance to the style "
                f"{step.style:.0%} of the encoded one's, to the photograph {step.content:.0%}"
            )
        found[style.name] = _read(path, method)
    return found


def _read(path: Path, method: MomentsMethod) -> LearnedStyle:
    learned = LearnedStyle.parse(path.read_bytes())
    if learned is None or (learned.method, learned.model) != (method.spec.name, method.model_hash):
        raise ModelError(f"{path} was not learned with the '{method.spec.name}' in use; remove it.")
    return learned


def assemble(
    network: AdaINNetwork, learned: dict[str, LearnedStyle]
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Weights of a ``GalleryNetwork`` in half precision, codes apart, and its constructor's arguments: the ``network`` that
    the styles were learned with and, by name, what was ``learned``."""
    of_gallery = [style for style in styles() if style.name in learned]
    rows = [learned[style.name] for style in of_gallery]
    state = {name: value.detach().cpu().half() for name, value in network.state_dict().items()}
    state["codes"] = torch.stack([torch.from_numpy(row.code) for row in rows])
    state["offsets"] = torch.stack([torch.from_numpy(row.offsets) for row in rows]).half()
    pictures = [to_tensor(read_picture(style.file), torch.device("cpu")) for style in of_gallery]
    state["thumbnails"] = torch.cat([thumbnail(picture) for picture in pictures]).half()
    return state, network.config | {"styles": [style.name for style in of_gallery]}
