"""A network of learned styles: one (Johnson et al. 2016) or several by conditional instance normalisation (Dumoulin et al.
2017). It sees the style only while it learns; from then on it paints in the styles it knows, and in no others.

Departures from the papers: a strength below 1 leaves so much of the photograph, and one above 1 goes on in the same
direction; colours that are to be the photograph's are given to what is painted, for the style cannot be recoloured any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor, nn

from core.color import match_statistics
from core.device import fast_bfloat16, keep_memory
from core.errors import ModelError, ParameterError
from core.methods.contract import Picture, Progress
from core.methods.feedforward import FeedForward, mix_weights
from core.methods.moments import joined, mixed
from core.methods.regions import Regions
from core.nn.johnson import JohnsonNetwork, StylesNetwork
from core.nn.padding import crop, pad
from core.nn.strokes import noise_generator
from core.params import PaintParams
from core.specs import MethodSpec
from core.tensors import to_image, to_tensor
from core.weights import weights as find_weights
from core.weights.finite import read_weights


@dataclass
class Content:
    """A photograph ``(1, 3, H, W)`` with its edges extended, its own ``size`` (height, width), and what was painted of it
    last: the code and the seed, and the painting at strength 1."""

    photo: Tensor
    size: tuple[int, int]
    painted: dict[tuple[bytes, int], Tensor] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory held, the painting counted in."""
        return 2 * self.photo.nbytes


class JohnsonMethod(FeedForward):
    """A network of learned styles with its shipped weights. On hardware with bfloat16 its convolutions run in it, unless
    ``half`` is False. Raises ``ParameterError`` for a picture that is no style of it."""

    limits = (
        "It paints in the styles that it has learned, and in their mixes, only. Skies and walls are hatched finely; the "
        "style's large shapes (rays, whole tiles, panes) it does not draw. Of colourful styles it takes a few colours, and "
        "strong colours of the photograph stay to be seen in the two of black lines. Beyond strength 1 colours clip. Faces "
        "are not treated specially."
    )
    network_class: Callable[..., StylesNetwork] = JohnsonNetwork

    def __init__(self, spec: MethodSpec, device: str | None = None, *, half: bool | None = None) -> None:
        super().__init__(spec, device)
        if self.device.type == "cpu":
            keep_memory()
        entry = find_weights(spec.weights)
        self.model_hash = entry.sha256
        try:
            options = {key: value for key, value in entry.network.items() if key != "kind"}
            network = self.network_class(**options)
            network.load_state_dict(read_weights(entry.path))
        except (RuntimeError, TypeError) as error:
            raise ModelError(f"The weights of '{entry.name}' do not fit the network ({error}).") from None
        self.network = network.eval().requires_grad_(False)
        self.network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if fast_bfloat16(self.device) if half is None else half:
            for module in self.network.modules():
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    module.to(torch.bfloat16)

    @torch.inference_mode()
    def encode_style(self, style: Image.Image) -> bytes:
        row = self.network.find(to_tensor(style, self.device))
        if row is None:
            raise ParameterError(self.spec.only_learned)
        return save({"code": self.network.codes[row : row + 1].float().cpu().contiguous()})

    def _encoded_style(self, read: Picture, photo: Image.Image, params: PaintParams) -> bytes:
        return self.encode_style(read())

    @torch.inference_mode()
    def encode_content(self, photo: Image.Image) -> Content:
        return Content(*pad(to_tensor(photo, self.device), self.network.stride))

    @torch.inference_mode()
    def decode(
        self,
        content: Any,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
        regions: Regions | None = None,
    ) -> Image.Image:
        tell = progress or (lambda _: None)
        tell(0.0)
        held = [load(one)["code"].to(self.device) for one in codes]
        painted = (
            self._painting(content, held, weights, params.seed)
            if regions is None
            else joined(
                regions,
                content.photo,
                self.network.stride,
                lambda region, _: self._painting(
                    content,
                    [held[style] for style in region.styles],
                    region.params(params).weights,
                    params.seed,
                ),
                lambda done: tell(0.9 * done),
            )
        )
        tell(0.9)
        if params.keep_colors == "statistics" and params.alpha:
            given = match_statistics(
                to_image(crop(painted, content.size)), to_image(crop(content.photo, content.size))
            )
            painted, _ = pad(to_tensor(given, self.device), self.network.stride)
        # Strength 0 is the photograph bit for bit, 1 the painting.
        found = content.photo if not params.alpha else torch.lerp(content.photo, painted, params.alpha)
        tell(1.0)
        return to_image(crop(found, content.size))

    def _painting(
        self, content: Content, held: Sequence[Tensor], weights: Sequence[float] | None, seed: int
    ) -> Tensor:
        """The network's picture ``(1, 3, H, W)`` in a mix of styles; the last one is remembered."""
        code = mixed(held, mix_weights(len(held), weights))
        key = (code.cpu().numpy().tobytes(), seed)
        painted = content.painted.get(key)
        if painted is None:
            noise = self.network.noise(content.photo, noise_generator(seed))
            painted = self.network(content.photo, code, noise)
            content.painted = {key: painted}
        return painted
