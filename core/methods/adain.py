"""Adaptive instance normalisation (Huang & Belongie 2017), at four levels of a small distilled encoder.

Departures from the paper: statistics are matched at every decoder level, not only at relu4_1; the encoder is a
student of VGG-19; and the reconstruction's residual ``r = c − g(f(c))`` is added back with weight ``1 − alpha``, so
alpha 0 returns the photograph exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from core.device import fast_bfloat16
from core.errors import ModelError
from core.methods.base import Method, Progress, mix_weights
from core.nn.codec import AdaINNetwork, Decoder, Encoder, Features
from core.nn.padding import crop, pad
from core.params import PaintParams
from core.registry import MethodSpec
from core.tensors import to_image, to_tensor
from core.weights import weights as find_weights


OUTPUT_CENTRE = 0.5


@dataclass
class Content:
    """A photograph as the decoder needs it. ``residual`` is computed when a strength below 1 first asks for it."""

    photo: Tensor
    features: Features
    moments: list[tuple[Tensor, Tensor]]
    code: Tensor
    size: tuple[int, int]
    residual: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Memory held, the residual counted in."""
        return 2 * self.photo.nbytes + sum(f.nbytes for f in self.features)


class AdaINMethod(Method):
    """The shipped AdaIN network. On hardware with bfloat16 the decoder's convolutions run in it."""

    def __init__(self, spec: MethodSpec, device: str | None = None, *, half: bool | None = None) -> None:
        super().__init__(spec, device)
        entry = find_weights(spec.weights)
        self.model_hash = entry.sha256
        self.network = AdaINNetwork(**entry.network)
        try:
            self.network.load_state_dict(load_file(entry.path))
        except RuntimeError as error:
            raise ModelError(f"The weights of '{entry.name}' do not fit the network ({error}).") from None
        self.dtype = (
            torch.bfloat16 if (fast_bfloat16(self.device) if half is None else half) else torch.float32
        )
        self.network.eval().requires_grad_(False)
        self.network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.centre = 0.0
        if self.dtype != torch.float32:
            self.centre = to_half(self.network.encoder, self.network.decoder, self.dtype)

    def _put(self, image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
        return pad(to_tensor(image, self.device))

    @torch.inference_mode()
    def encode_style(self, style: Image.Image) -> bytes:
        x, _ = self._put(style)
        code = self.network.code(self.network.moments(self.network.encode(x)))
        return save({"code": code.cpu()})

    @torch.inference_mode()
    def encode_content(self, photo: Image.Image) -> Content:
        x, size = self._put(photo)
        features = self.network.encode(x)
        moments = self.network.moments(features)
        return Content(x, [f.to(self.dtype) for f in features], moments, self.network.code(moments), size)

    @torch.inference_mode()
    def decode(
        self,
        content: Content,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        shares = mix_weights(len(codes), weights)
        tell = progress or (lambda _: None)
        tell(0.0)
        mixed = sum(w * load(code)["code"].to(self.device) for w, code in zip(shares, codes, strict=True))
        assert isinstance(mixed, Tensor)
        target = torch.lerp(content.code, mixed, params.alpha)
        painted = self._decode(content, target)
        tell(0.6)
        if params.alpha < 1:
            if content.residual is None:
                content.residual = content.photo - self._decode(content, content.code)
            painted = painted + (1 - params.alpha) * content.residual
        tell(1.0)
        return to_image(crop(painted, content.size))

    def _decode(self, content: Content, code: Tensor) -> Tensor:
        return self.network.decode(content.features, content.moments, code).float().add_(self.centre)


@torch.no_grad()
def to_half(encoder: Encoder, decoder: Decoder, dtype: torch.dtype) -> float:
    """Put the convolutions whose rounding does not show into ``dtype``; returns what has to be added to the output.

    All of the decoder, and the encoder's inner convolutions below full resolution: rounding its first level or its taps
    would be most of the whole error, since normalisation magnifies what little varies in flat regions. bfloat16 has
    8 significant bits, so colours leave the decoder centred around 0, where its steps are finer than 8-bit colour's.
    """
    for layer in decoder.stages[0].out.modules():  # type: ignore[union-attr]
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            layer.bias.sub_(OUTPUT_CENTRE)
    for module in [*decoder.modules(), *(m for level in list(encoder.rest)[1:] for m in level.modules())]:
        if isinstance(module, nn.Conv2d):
            module.to(dtype)
    return OUTPUT_CENTRE
