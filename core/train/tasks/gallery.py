"""The gallery's network learns: one decoder for all of its styles, and for each of them numbers of its own (conditional
instance normalisation, Dumoulin et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ModelError, ParameterError
from core.evaluate.pairs import Pair, own_pairs
from core.images import read_picture, resize_longest
from core.losses import functional as L
from core.losses.penalties import PENALTIES
from core.methods.contract import STYLE_SIDE
from core.nn.adain import channel_moments, instance_normalise
from core.nn.codec import AdaINNetwork
from core.nn.gallery import GalleryNetwork, thumbnail
from core.nn.padding import pad
from core.nn.vgg import STYLE_LAYERS
from core.styles import styles
from core.tensors import to_tensor
from core.train.tasks.adain import AdaINTask, Covariances

OF_STYLES = ("codes", "offsets", "thumbnails")
"""What the network has beside AdaIN's, one row for each style."""

REFERENCE_CROPS = 2
"""So many photographs are painted before the first step, to know how far each style is from its painting."""

HOLD_RATE = 0.25
"""A style's weight of the content loss moves by this share, each time it is painted, for a whole unit beyond its aim."""

TURNS = 0.5
"""A style is drawn in proportion to its last style loss to this power: oftener, the farther it is from its picture."""

VALIDATION_SIDE = 384


class GalleryTask(AdaINTask):
    """Style loss, covariances and content loss of each style are shares of what its painting comes to before the first step,
    so that no style outweighs another; ``loss.hold_content`` is such a share, too, and followed style by style.

    Learned are the decoder and, at ``optim.fresh`` times the rate, the styles' offsets; the encoder stays. Raises
    ``ParameterError`` for a recipe with a network of another kind or an encoder that is to learn.
    """

    network: GalleryNetwork

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        self.trainable = self.network
        self._files = [style.file for style in styles()]
        self._seen: list[tuple[list[L.Moments], list[Covariances]] | None] = [None] * len(self._files)
        self._reference = torch.zeros(len(self._files), 3)
        """Of each style's painting at the start: style loss, covariances' (mean of all scales), content loss."""
        self._latest = torch.ones(len(self._files))
        """Of each style's last painting: the style loss; before its first that of the start."""

    def material(self) -> dict[str, int]:
        return {"photos": len(self.photos), "gallery": len(self._files)}

    def new_network(self) -> GalleryNetwork:
        if self.recipe.network.kind != "multilevel" or not self.recipe.freeze_encoder:
            raise ParameterError(
                "The gallery's network is a multilevel one whose encoder stays; set freeze_encoder = true."
            )
        found = super().new_network()
        assert isinstance(found, AdaINNetwork)
        return GalleryNetwork(styles=[style.name for style in styles()], **found.config)

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Weights of the gallery's network, or of AdaIN's of the same sizes. Raises ``ModelError`` for any other."""
        missing, unexpected = self.network.load_state_dict(state, strict=False)
        if unexpected or not set(missing) <= set(OF_STYLES):
            raise ModelError("The weights to start from are not of the recipe's network.")

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        return [
            ([p for p in self.network.decoder.parameters() if p.requires_grad], 1.0),
            ([self.network.offsets], self.recipe.optim.fresh),
        ]

    def state(self) -> dict[str, Any]:
        return super().state() | {"reference": self._reference, "latest": self._latest}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._reference = state["reference"]
        self._latest = state.get("latest", self._reference[:, 0].clone())

    def validation_pairs(self, held_out: Sequence[Pair]) -> Sequence[Pair]:
        """The program's own photographs, each style with one of them."""
        return own_pairs(VALIDATION_SIDE)[::2]

    # Before the first step ----------------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(self, say: Callable[[str], None]) -> None:
        super().prepare(say)
        network = self.network
        if not bool(network.thumbnails.any()):
            for row in range(len(self._files)):
                picture = self._style(row)
                features = network.encode(pad(picture, network.stride)[0])
                network.codes[row] = network.code(network.moments(features))[0]
                network.thumbnails[row] = thumbnail(picture)[0]
        rng = np.random.default_rng([self.recipe.seed, 31])
        crops = [self._crop(rng) for _ in range(REFERENCE_CROPS)]
        for row in range(len(self._files)):
            found = [self._distances(crop, row, step=-1)[:3] for crop in crops]
            self._reference[row] = (
                torch.stack([torch.stack(list(parts)) for parts in found]).mean(dim=0).float().cpu()
            )
        self._latest = self._reference[:, 0].clone()
        say(
            f"{len(self._files)} styles; before learning, means of style loss {float(self._reference[:, 0].mean()):.3f} and "
            f"content loss {float(self._reference[:, 2].mean()):.3f}"
        )

    def _crop(self, rng: np.random.Generator) -> Tensor:
        """A crop ``(1, 3, S, S)`` of any photograph."""
        data, scales = self.recipe.data, (self.recipe.data.min_scale, self.recipe.data.max_scale)
        return self.put([self.photos.crop(int(rng.integers(len(self.photos))), data.crop, scales, rng)])

    def _style(self, row: int) -> Tensor:
        picture = resize_longest(read_picture(self._files[row]), STYLE_SIDE)
        return to_tensor(picture, self.device)

    @torch.no_grad()
    def _of_style(self, row: int) -> tuple[list[L.Moments], list[Covariances]]:
        """The teacher's moments and, at every scale, covariances of a whole style; asked once."""
        known = self._seen[row]
        if known is None:
            picture = self._style(row)
            moments = [channel_moments(tap) for tap in self.teacher(picture, STYLE_LAYERS).values()]
            covariances = [
                {name: value.half() for name, value in scale.items()} for scale in self._covariances(picture)
            ]
            known = self._seen[row] = moments, covariances
        return known

    # A step -------------------------------------------------------------------------------------------------

    def _distances(self, photo: Tensor, row: int, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of a crop ``(1, 3, S, S)`` painted in style ``row``: style loss, covariances' loss, content loss, the painting."""
        net, side = self.network, photo.shape[-1]
        rng = np.random.default_rng([self.recipe.seed, step + 1, row, 37])
        stride = net.stride
        down, right = (int(n) for n in rng.integers(stride, size=2)) if self.recipe.data.jitter else (0, 0)
        shifted = (
            F.pad(photo, (right, stride - right, down, stride - down), mode="replicate")
            if down or right
            else photo
        )
        with torch.no_grad():
            features = net.encode(shifted)
            moments = net.moments(features)
            content = instance_normalise(self.teacher(photo, ["relu4_1"])["relu4_1"])
        noise = self.noise(features, step + 1)
        own = slice(row, row + 1)
        painted = net.decode(features, moments, net.codes[own], noise, net.offsets[own])
        painted = painted[..., down : down + side, right : right + side].float()
        wanted, covariances = self._of_style(row)
        seen = self.teacher(painted, STYLE_LAYERS)
        style = L.style_loss(list(seen.values()), wanted).mean()
        parts: dict[str, Tensor] = {}
        self._structure(painted, seen, photo, covariances, parts, calm=False)
        deep = (instance_normalise(seen["relu4_1"]) - content).square().mean()
        return style, parts["structure"], deep, painted

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        rng, weights = self.rng(step), self.recipe.loss
        totals: list[Tensor] = []
        every: list[dict[str, Tensor]] = []
        for _ in range(self.recipe.batch):
            row = self._draw(rng)
            photo = self._crop(rng)
            style, structure, content, painted = self._distances(photo, row, step)
            if torch.is_grad_enabled():
                self._latest[row] = float(style.detach())
            reference = self._reference[row].to(self.device)
            shares = {
                "style": style / reference[0].clamp_min(1e-6),
                "structure": structure / reference[1].clamp_min(1e-6),
                "content": content / reference[2].clamp_min(1e-6),
            }
            total = (
                weights.style * shares["style"]
                + weights.structure * shares["structure"]
                + self._weight("content", shares["content"], weights.hold_content, f" {row}", HOLD_RATE)
                * shares["content"]
            )
            parts = {"Ls": style, "Lc": content, **shares}
            for name, penalty in PENALTIES.items():
                if weight := getattr(weights, name):
                    parts[name] = penalty.of(painted, photo)
                    total = total + weight * parts[name]
            totals.append(total)
            every.append(parts)
        return torch.stack(totals).mean(), {
            name: torch.stack([parts[name] for parts in every]).mean() for name in every[0]
        }

    def _draw(self, rng: np.random.Generator) -> int:
        """The style that is painted next, see ``TURNS``."""
        shares = self._latest.clamp_min(1e-6).double().pow(TURNS).numpy()
        return int(rng.choice(len(shares), p=shares / shares.sum()))
