"""What the methods share whose style code is the moments of a small encoder's features (AdaIN and its relatives)."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor, nn

from core.device import fast_bfloat16, keep_memory
from core.errors import ModelError
from core.learn.style import LearnedStyle
from core.methods.contract import Progress
from core.methods.feedforward import FeedForward, mix_weights
from core.methods.regions import Region, Regions
from core.nn.adain import weighing
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.nn.padding import crop, pad
from core.nn.strokes import noise_generator
from core.params import PaintParams
from core.specs import MethodSpec
from core.tensors import to_image, to_tensor
from core.weights import weights as find_weights
from core.weights.finite import read_weights

OUTPUT_CENTRE = 0.5
LOW_CONTRAST = 10 / 255
"""Photographs that vary less than this (the largest standard deviation of R, G and B) are painted in float32: magnified to
the style's contrast, the steps of bfloat16 would be seen."""

WHOLE = 0.05
"""How much the whole picture counts in a region's statistics, which small or plain regions alone could not bear."""

NOTHING = 1e-3
"""Where the shares sum to less, nobody paints."""


@dataclass
class Content:
    """A photograph as the decoder needs it. ``residual``, ``c − g(f(c))`` as the method keeps it, is computed when a
    strength below 1 first asks for it; ``network``: the one, of the right precision, that encoded it and decodes it;
    ``noise``: the maps of the last seed asked for."""

    photo: Tensor
    features: list[Tensor]
    moments: list[tuple[Tensor, Tensor]]
    code: Tensor
    size: tuple[int, int]
    network: Any
    residual: tuple[Tensor, ...] | None = None
    noise: dict[int, list[Tensor]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory held, the residual's bands and the noise counted in."""
        return 4 * self.photo.nbytes + sum(f.nbytes for f in self.features)


class MomentsMethod(FeedForward):
    """A network with ``encode``, ``moments``, ``code`` and ``decode``. On hardware with bfloat16 most convolutions run
    in it, unless ``half`` is False; photographs of ``LOW_CONTRAST`` stay in float32 (``exact``)."""

    network_class: type[AdaINNetwork] | type[FactorizedNetwork]

    def __init__(self, spec: MethodSpec, device: str | None = None, *, half: bool | None = None) -> None:
        super().__init__(spec, device)
        if self.device.type == "cpu":
            keep_memory()
        entry = find_weights(spec.weights)
        self.model_hash = entry.sha256
        self.network = self._network(entry.network)
        try:
            self.network.load_state_dict(read_weights(entry.path))
        except RuntimeError as error:
            raise ModelError(f"The weights of '{entry.name}' do not fit the network ({error}).") from None
        self.dtype = (
            torch.bfloat16 if (fast_bfloat16(self.device) if half is None else half) else torch.float32
        )
        self.network.eval().requires_grad_(False)
        self.network.to(device=self.device, memory_format=torch.channels_last)
        self.exact, self.centre = self.network, 0.0
        if self.dtype != torch.float32:
            self.exact = copy.deepcopy(self.network)
            self.centre = to_half(self.network.encoder, self.network.decoder, self.dtype)

    def _network(self, config: Mapping[str, Any]) -> Any:
        """The untrained network of weights with these constructor's arguments."""
        return self.network_class(**config)

    def _own_code(self, features: list[Tensor], moments: list[tuple[Tensor, Tensor]]) -> Tensor:
        """A photograph's own code, as far as every painting needs it."""
        return self.network.code(moments)

    @abstractmethod
    def _target(
        self,
        content: Content,
        styles: Sequence[Tensor],
        weights: Sequence[float] | None,
        params: PaintParams,
    ) -> Tensor:
        """The code to paint with: the photograph's own moved towards the mixed ``styles``."""

    @abstractmethod
    def _missing(self, params: PaintParams) -> tuple[float, ...]:
        """By how much each band of the residual is to be added: ``max(0, 1 − strength)``, so that it goes as the style
        comes."""

    def _split(self, residual: Tensor) -> tuple[Tensor, ...]:
        """The residual ``(1, 3, H, W)`` in bands that sum to it."""
        return (residual,)

    def _offsets(
        self, offsets: Sequence[Tensor], weights: Sequence[float] | None, params: PaintParams
    ) -> Tensor:
        """What learned styles, mixed, add at the strengths of ``params``; each of ``offsets`` is one style's, 0 for one that
        was only encoded."""
        return params.alpha * mixed(offsets, mix_weights(len(offsets), weights))

    @property
    def offset_size(self) -> int:
        """How many numbers a learned style adds to the network's targets."""
        return sum(self.network.decoder.offset_sizes)

    def packed(self, code: Tensor, offsets: Tensor | None = None) -> bytes:
        """A code ``(1, n)`` as it is kept, with a learned style's ``offsets`` ``(1, offset_size)``."""
        held = {"code": code} if offsets is None else {"code": code, "offsets": offsets}
        return save({name: value.detach().float().cpu().contiguous() for name, value in held.items()})

    def with_learned(self, encoded: bytes | None, learned: LearnedStyle) -> bytes | None:
        """A style's code with what was learned of it: ``encoded``, or the one that was learned with. ``None`` where that was
        with another network, or does not fit this one."""
        if (learned.method, learned.model) != (self.spec.name, self.model_hash):
            return None
        code = torch.from_numpy(learned.code) if encoded is None else load(encoded)["code"]
        offsets = torch.from_numpy(learned.offsets)
        if len(learned.offsets) != self.offset_size:
            return None
        return self.packed(code.view(1, -1), offsets.view(1, -1))

    def _put(self, image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
        return pad(to_tensor(image, self.device), self.network.stride)

    @torch.inference_mode()
    def encode_style(self, style: Image.Image) -> bytes:
        x, _ = self._put(style)
        features = self.network.encode(x)
        return self.packed(self.network.style_code(features, self.network.moments(features)))

    @torch.inference_mode()
    def encode_content(self, photo: Image.Image) -> Content:
        x, size = self._put(photo)
        network = self.exact if _varies_little(x) else self.network
        features = network.encode(x)
        moments = network.moments(features)
        return Content(x, features, moments, self._own_code(features, moments), size, network)

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
        held = [{name: part.to(self.device) for name, part in load(code).items()} for code in codes]
        if regions is None:
            painted = self._styled(content, held, weights, params, tell)
        else:
            painted = self._joined(content, held, params, regions, tell)
        tell(1.0)
        return to_image(crop(painted, content.size))

    def _styled(
        self,
        content: Content,
        held: Sequence[Mapping[str, Tensor]],
        weights: Sequence[float] | None,
        params: PaintParams,
        tell: Progress,
    ) -> Tensor:
        """The whole picture ``(1, 3, H, W)`` in one mix of styles."""
        offsets = None
        if any("offsets" in style for style in held):
            nothing = torch.zeros(1, self.offset_size, device=self.device)
            offsets = self._offsets([style.get("offsets", nothing) for style in held], weights, params)
        target = self._target(content, [style["code"] for style in held], weights, params)
        painted = self._decode(content, target, self._noise(content, params.seed), offsets)
        tell(0.6)
        missing = self._missing(params)
        if any(missing):
            if content.residual is None:
                content.residual = self._split(content.photo - self._decode(content, content.code))
            for share, band in zip(missing, content.residual, strict=True):
                if share:
                    painted = painted + share * band
        return painted

    def _joined(
        self,
        content: Content,
        held: Sequence[Mapping[str, Tensor]],
        params: PaintParams,
        regions: Regions,
        tell: Progress,
    ) -> Tensor:
        """The picture ``(1, 3, H, W)`` with each region painted by itself, its features moved from their own moments to its
        styles', and all of them joined."""

        def paint(region: Region, share: Tensor | None) -> Tensor:
            own = region.params(params)
            styles = [held[style] for style in region.styles]
            if share is None:
                return self._styled(content, styles, own.weights, own, tell)
            with weighing(share + WHOLE):
                moments = content.network.moments(content.features)
                code = self._own_code(content.features, moments)
                # Of AdaConv's code the rest is the descriptor, which has places.
                code = torch.cat([code, content.code[:, code.shape[1] :]], dim=1)
                part = replace(content, moments=moments, code=code, residual=None)
                return self._styled(part, styles, own.weights, own, lambda _: None)

        return joined(regions, content.photo, self.network.stride, paint, tell)

    def _noise(self, content: Content, seed: int) -> list[Tensor] | None:
        """The noise of this seed, where the network takes any."""
        if seed not in content.noise:
            drawn = self.network.noise(content.features, noise_generator(seed))
            if drawn is None:
                return None
            dtype = torch.float32 if content.network is self.exact else self.dtype
            content.noise = {seed: [maps.to(dtype) for maps in drawn]}
        return content.noise[seed]

    def _decode(
        self,
        content: Content,
        code: Tensor,
        noise: list[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        """The network's picture ``(1, 3, H, W)``. In the photograph's own code there is no place for noise."""
        network = content.network
        painted: Tensor = network.decode(content.features, content.moments, code, noise, offsets).float()
        return painted if network is self.exact else painted.add_(self.centre)


def _varies_little(x: Tensor) -> bool:
    """Whether a picture ``(1, 3, H, W)`` in [0, 1] is of ``LOW_CONTRAST``; every fourth row and column tells."""
    return bool(x[..., ::4, ::4].std(dim=(2, 3), correction=0).max() < LOW_CONTRAST)


def joined(
    regions: Regions,
    photo: Tensor,
    stride: int,
    paint: Callable[[Region, Tensor | None], Tensor],
    tell: Progress,
) -> Tensor:
    """The pictures of all regions, of the size of ``photo`` ``(1, 3, H, W)``, joined by their shares of what is painted;
    nothing where nobody paints. ``paint`` makes a region's picture and is told of its share ``(1, 1, H, W)``, or of none
    where it is all there is."""
    found, total = torch.zeros_like(photo), torch.zeros_like(photo[:, :1])
    for number, region in enumerate(regions.painted):
        if float(region.share.min()) >= 1:
            return paint(region, None)
        share = torch.from_numpy(region.share)[None, None].clamp(0, 1).to(photo.device)
        share = pad(share, stride)[0]
        found += share * paint(region, share)
        total += share
        tell((number + 1) / len(regions.painted))
    return found / total.clamp_min(NOTHING)


def mixed(styles: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The weighted sum of codes."""
    return torch.stack([share * style for share, style in zip(shares, styles, strict=True)]).sum(dim=0)


@torch.no_grad()
def to_half(encoder: nn.Module, decoder: nn.Module, dtype: torch.dtype) -> float:
    """Put all convolutions of pictures and features into ``dtype``; returns what has to be added to the output.

    Normalisation magnifies what little varies in flat regions, and with it any rounding; weights that were trained to
    the end under bfloat16 autocast, encoder included, bear it. bfloat16 has 8 significant bits, so colours leave the
    decoder centred around 0, where its steps are finer than 8-bit colour's.
    """
    last: nn.Module = decoder.stages[0].out  # type: ignore[union-attr,index]
    for layer in last.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            layer.bias.sub_(OUTPUT_CENTRE)
    stages: nn.Module = decoder.stages  # type: ignore[assignment]
    strokes = decoder.strokes
    further = strokes.modules() if isinstance(strokes, nn.Module) else ()
    for module in [*encoder.modules(), *stages.modules(), *further]:
        if isinstance(module, nn.Conv2d):
            module.to(dtype)
    return OUTPUT_CENTRE
