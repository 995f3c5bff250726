"""One network learns one style or several, and paints in these alone (Johnson et al. 2016; Dumoulin et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import ModelError, ParameterError
from core.images import resize_longest
from core.losses import functional as L
from core.losses import structure as S
from core.losses.penalties import PENALTIES
from core.nn.adain import channel_moments, instance_normalise, restyle
from core.nn.gallery import thumbnail
from core.nn.johnson import JohnsonNetwork, StylesNetwork
from core.nn.padding import crop, pad
from core.nn.strokes import noise_generator
from core.nn.vgg import STYLE_LAYERS
from core.tensors import to_tensor
from core.train.tasks.base import PerceptualTask

MOST_STYLES = 64
"""So many styles are learned at once at most: each is to be seen often."""

OF_A_STYLE = ("codes", "thumbnails")
"""What a network holds for each style apart; all else its styles share."""


class JohnsonTask(PerceptualTask):
    """Perceptual losses on the teacher's taps: content at relu4_1, moments and covariances at ``STYLE_LAYERS``.

    Johnson et al.'s Gram matrices are here the channels' means and deviations (``style``) and their whole covariances
    (``structure``), each relative to nothing but the style; ``hold_content`` holds each style's Lc apart. Every picture of a
    batch has another style, in turn. With ``freeze_encoder`` the convolutions stay as they were started from and only the
    styles' numbers are learned (Dumoulin et al. 2017, section 3.2).
    """

    network: StylesNetwork

    def __init__(self, *arguments, encoder: dict[str, Tensor] | None = None, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        if encoder is not None:
            raise ParameterError("A network of learned styles has no encoder; leave --encoder out.")
        recipe, pictures = self.recipe, self.styles.pictures
        if len(pictures) > MOST_STYLES:
            raise ParameterError(
                f"{len(pictures)} styles are too many for one network, which learns each; give {MOST_STYLES} at most."
            )
        names = list(recipe.data.learned_styles) or [
            PurePath(name.replace(":", "/")).stem for name in pictures.names
        ]
        chosen = [
            resize_longest(picture, recipe.data.style_size)
            for picture in (Image.fromarray(pictures.array(i)) for i in range(len(pictures)))
        ]
        self.pictures = [to_tensor(picture, self.device) for picture in chosen]
        if recipe.network.norm == "none" and (len(names) > 1 or recipe.freeze_encoder):
            raise ParameterError(
                "Without normalisation a network has no numbers of single styles: give one style, and freeze nothing."
            )
        self.network = self.new_network(names)
        self.network.thumbnails.copy_(torch.cat([thumbnail(x) for x in self.pictures]))
        self.network.to(self.device)
        self.trainable = self.network
        if recipe.freeze_encoder:
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(name == "codes")
        self._started = False
        self._wanted: list[tuple[list[L.Moments], list[dict[str, Tensor]]]] = []

    def new_network(self, names: Sequence[str]) -> StylesNetwork:
        """The untrained network of the recipe for styles of these names."""
        options = self.recipe.network
        return JohnsonNetwork(
            names,
            options.widths,
            options.residuals,
            options.kernel,
            options.norm,
            options.padding,
            options.upsampling,
        )

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Weights of the same network for the same or other styles: one that is known goes on from its own numbers, a new
        one begins at the mean of all. Raises ``ModelError``."""
        mine = self.network.state_dict()
        if not set(OF_A_STYLE) <= set(state) or state["codes"].shape[1] != mine["codes"].shape[1]:
            raise ModelError("The weights to start from are not of the recipe's network.")
        codes, known = state["codes"].float().cpu(), state["thumbnails"].float().cpu()
        rows = []
        for picture in mine["thumbnails"].cpu():
            differences = (known - picture).abs().mean(dim=(1, 2, 3))
            nearest = int(differences.argmin())
            rows.append(codes[nearest] if float(differences[nearest]) < 1e-2 else codes.mean(dim=0))
        given = {name: value.float() for name, value in state.items() if name not in OF_A_STYLE}
        self.network.load_state_dict(given | {"codes": torch.stack(rows), "thumbnails": mine["thumbnails"]})
        self._started = True

    def wanted(self, row: int) -> tuple[list[L.Moments], list[dict[str, Tensor]]]:
        """The teacher's moments of a style and, scale by scale, its covariances; measured once."""
        if not self._wanted:
            with torch.no_grad():
                for picture in self.pictures:
                    taps = self.teacher(picture, STYLE_LAYERS)
                    scales = S.pyramid(picture, self.recipe.loss.scales) if self._compares_structure else []
                    covariances = [
                        {n: S.covariance(tap) for n, tap in self.teacher(x, STYLE_LAYERS).items()}
                        for x in scales
                    ]
                    self._wanted.append(([channel_moments(tap) for tap in taps.values()], covariances))
        return self._wanted[row]

    @property
    def _compares_structure(self) -> bool:
        return bool(self.recipe.loss.structure or self.recipe.loss.calm)

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        if self.recipe.freeze_encoder and not self._started:
            raise ParameterError(
                "Nothing but numbers of styles is learned: give the network with --start FILE."
            )
        options = self.recipe.loss
        photo, content = self.photo_batch(self.rng(step))
        count = len(self.pictures)
        rows = [(step * len(photo) + i) % count for i in range(len(photo))]
        self.network.train()
        result = self.network(photo, self.network.codes[rows], self.network.noise(photo, self._noise(step)))
        taps = self.teacher(result, STYLE_LAYERS)
        wanted = [self.wanted(row) for row in rows]
        aims = [
            tuple(torch.cat([one[0][layer][part] for one in wanted]) for part in (0, 1))
            for layer in range(len(STYLE_LAYERS))
        ]
        style = L.style_loss(list(taps.values()), aims)  # type: ignore[arg-type]
        deep = taps["relu4_1"]
        if options.content_kind == "normalised":
            kept = (instance_normalise(deep) - content.float()).square().mean(dim=(1, 2, 3))
        else:
            kept = L.content_target_loss(deep, restyle(content.float(), channel_moments(content), *aims[3]))
        parts = {"Ls": style.mean(), "Lc": kept.mean()}
        total = options.style * parts["Ls"]
        for row, one in zip(rows, kept, strict=True):
            total = total + self._weight("content", one, options.hold_content, f" {row}") * one / len(rows)
        if self._compares_structure:
            scales = [
                {name: torch.cat([one[name] for one in ones]) for name in ones[0]}
                for ones in zip(*(one[1] for one in wanted), strict=True)
            ]
            self._structure(result, taps, photo, scales, parts, calm=bool(options.calm))
            parts.setdefault("calm", torch.zeros((), device=self.device))
            for name in ("structure", "calm"):
                total = total + getattr(options, name) * parts[name]
        if options.ssim:
            parts["SSIM"] = L.ssim(L.luma(result.float()), L.luma(photo)).mean()
            total = total + self._weight("ssim", 1 - parts["SSIM"], options.hold_ssim) * (1 - parts["SSIM"])
        for name, penalty in PENALTIES.items():
            if weight := getattr(options, name):
                parts[name] = penalty.of(result, photo)
                total = total + weight * parts[name]
        return total + self.own_terms(photo, rows, result, step, parts), parts

    def own_terms(
        self, photo: Tensor, rows: list[int], result: Tensor, step: int, parts: dict[str, Tensor]
    ) -> Tensor | float:
        """What another network adds to the loss; its parts go to ``parts``."""
        return 0.0

    def _noise(self, step: int, take: int = 0) -> torch.Generator:
        """What draws the noise of a step's paintings, on the training's device."""
        seed = int(np.random.default_rng([self.recipe.seed, step, self.rank, 29, take]).integers(2**62))
        return torch.Generator(self.device).manual_seed(seed)

    @torch.inference_mode()
    def paint_pair(self, photo: Tensor, style: Tensor) -> Tensor:
        """A photo ``(1, 3, H, W)`` in the learned style that ``style`` shows. Raises ``ParameterError`` for another."""
        network = self.network.eval()
        row = network.find(style.to(self.device))
        if row is None:
            raise ParameterError("This picture is none of the styles that are learned.")
        padded, size = pad(photo.to(self.device), network.stride)
        noise = network.noise(padded, noise_generator())
        return crop(network(padded, network.codes[row : row + 1], noise), size).float().clamp(0, 1).cpu()
