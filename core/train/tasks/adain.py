"""Stage 2: the AdaIN network learns to paint (Huang & Belongie 2017)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ModelError, ParameterError
from core.losses import functional as L
from core.losses import structure as S
from core.losses.penalties import PENALTIES
from core.nn.adain import channel_moments, instance_normalise, restyle
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.nn.paper import PaperNetwork
from core.nn.vgg import STYLE_LAYERS, WIDTHS
from core.styles import PICTURES
from core.train.data import Bank, PictureSet
from core.train.tasks.base import PerceptualTask

DISTANCE = "decoder.distance."
"""The part of a network that a content-aware correction has beside another."""

FRESH = ("style_encoder.", "decoder.pooled.", "decoder.predictors.", "decoder.strokes.", DISTANCE)
"""Parts that do nothing at first: a network without them is where one with them starts."""

Network = AdaINNetwork | FactorizedNetwork | PaperNetwork

GALLERY_VIEWS = 8
"""Each picture of the gallery is seen so many ways: whole, and in fixed random crops."""

GALLERY_SCALES = (0.35, 0.9)
"""Linear scales of these crops: the program encodes styles of up to 512 pixels, a training smaller ones."""


Covariances = dict[str, Tensor]
"""Covariances of the teacher's layers by name, each ``(N, C, C)``."""


class AdaINTask(PerceptualTask):
    """Content and style loss on the teacher's taps (Huang & Belongie 2017, eqs. 11-13), identity, SSIM and TV.

    What the teacher says of a style's square and of a fixed photo crop never changes, so it is asked once and kept:
    after the first passes only the result goes through the teacher.
    """

    network: Network

    def __init__(self, *arguments, encoder: dict[str, Tensor] | None = None, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        self.network = self._build(encoder)
        self.frozen = self.recipe.freeze_encoder
        self.trainable = self.network.decoder if self.frozen else self.network
        self._styles: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._wanted_covariances: list[Covariances] = []
        self._kept_covariances: dict[int, list[Covariances]] = {}
        chosen = list(range(len(self.styles)))
        if self.recipe.data.max_styles is not None:
            random.Random(self.recipe.seed).shuffle(chosen)
            chosen = sorted(chosen[: self.recipe.data.max_styles])
        self.chosen = chosen
        self.gallery = Bank(PictureSet([PICTURES]), self.device) if self.recipe.data.gallery else None

    def material(self) -> dict[str, int]:
        return super().material() | ({"gallery": len(self.gallery)} if self.gallery else {})

    def new_network(self) -> Network:
        """The untrained network of the recipe."""
        options = self.recipe.network
        if options.kind == "paper":
            return PaperNetwork(self.teacher)
        return AdaINNetwork(
            options.widths,
            options.depths,
            options.blocks,
            options.hidden,
            pool_first=options.pool_first,
            content_aware=options.content_aware,
            deep=options.deep,
            coarse=options.coarse,
        )

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Weights of the same network, or of one without the parts ``FRESH``."""
        missing, unexpected = self.network.load_state_dict(state, strict=False)
        if unexpected or any(not key.startswith(FRESH) for key in missing):
            raise ModelError("The weights to start from are not of the recipe's network.")

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The parts ``FRESH`` have a factor of their own."""
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = [], []
        trained = set(self.trainable.parameters())
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad and parameter in trained:
                groups[name.startswith(FRESH)].append(parameter)
        return [(groups[0], 1.0), (groups[1], self.recipe.optim.fresh)]

    def _build(self, encoder: dict[str, Tensor] | None) -> Network:
        network = self.new_network()
        if isinstance(network, PaperNetwork):
            return network
        if encoder is not None:
            try:
                network.encoder.load_state_dict(encoder)
            except RuntimeError:
                raise ModelError(
                    "The encoder given is of other widths or depths than the recipe's network."
                ) from None
        elif self.recipe.freeze_encoder:
            raise ParameterError("This recipe freezes the encoder: give a distilled one with --encoder FILE.")
        network.encoder.requires_grad_(not self.recipe.freeze_encoder)
        return network

    # Pictures of a step -------------------------------------------------------------------------------------

    def pick_styles(self, rng: np.random.Generator) -> list[int]:
        """Numbers of a batch of styles, for ``style_square``; those after the last of ``styles`` are views of the
        gallery."""
        picks = []
        for _ in range(self.recipe.batch):
            if self.gallery is not None and rng.random() < self.recipe.data.gallery:
                picks.append(len(self.styles) + int(rng.integers(len(self.gallery) * GALLERY_VIEWS)))
            else:
                picks.append(self.chosen[int(rng.integers(len(self.chosen)))])
        return picks

    def style_square(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """Style ``index`` as a square ``(3, S, S)``: its centre or, with ``rng``, a fresh random crop."""
        data = self.recipe.data
        if index < len(self.styles):
            if rng is None:
                return self.styles.centre(index, data.style_size)
            return self.styles.crop(index, data.style_size, (data.min_scale, data.max_scale), rng)
        assert self.gallery is not None
        picture, view = divmod(index - len(self.styles), GALLERY_VIEWS)
        if rng is None and not view:
            return self.gallery.centre(picture, data.style_size)
        rng = rng or np.random.default_rng([self.recipe.seed, picture, view, 17])
        return self.gallery.crop(picture, data.style_size, GALLERY_SCALES, rng)

    @torch.no_grad()
    def style_batch(self, rng: np.random.Generator) -> tuple[Tensor | None, list[L.Moments], Tensor | None]:
        """Pictures (only when the encoder learns), teacher moments per layer, the network's codes (only when frozen)."""
        picks = self.pick_styles(rng)
        if self.recipe.data.random_style_crop:
            pictures = self.put([self.style_square(i, rng) for i in picks])
            flat, codes = self._ask(pictures)
            x: Tensor | None = pictures
            self._wanted_covariances = self._covariances(pictures)
        else:
            # One at a time: in batches of changing company the last bits would differ after a resume.
            for index in sorted({i for i in picks if i not in self._styles}):
                found, code = self._ask(self.put([self.style_square(index)]))
                self._styles[index] = (found[0].cpu(), code[0].cpu() if code is not None else None)
            self.want_covariances(picks)
            flat = torch.stack([self._styles[i][0] for i in picks]).to(self.device)
            codes = torch.stack([self._styles[i][1] for i in picks]).to(self.device) if self.frozen else None  # type: ignore[misc]
            x = None if self.frozen else self.put([self.style_square(i) for i in picks])
        widths = list(WIDTHS[:4])
        means, stds = (part.split(widths, dim=1) for part in flat.split(sum(widths), dim=1))
        return x, list(zip(means, stds, strict=True)), codes

    def want_covariances(self, picks: list[int]) -> None:
        """The covariances of a batch of styles that are always the same squares, each measured once."""
        for index in sorted({i for i in picks if i not in self._kept_covariances}):
            self._kept_covariances[index] = [
                {name: value[0].half().cpu() for name, value in scale.items()}
                for scale in self._covariances(self.put([self.style_square(index)]))
            ]
        self._wanted_covariances = [
            {name: torch.stack([kept[name].float() for kept in scale]).to(self.device) for name in scale[0]}
            for scale in zip(*(self._kept_covariances[i] for i in picks), strict=True)
        ]

    def _ask(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The teacher's moments of styles, flat ``(N, 2·ΣC)``, and a frozen encoder's codes."""
        found = [channel_moments(f) for f in self.teacher(x, STYLE_LAYERS).values()]
        flat = torch.cat([part for kind in zip(*found, strict=True) for part in kind], dim=1)
        code = self.network.code(self.network.moments(self.network.encode(x))) if self.frozen else None
        return flat, code

    # The loss -----------------------------------------------------------------------------------------------

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        rng = self.rng(step)
        weights = self.recipe.loss
        net = self.network
        photo, content = self.photo_batch(rng)
        style, wanted, code = self.style_batch(rng)
        side = photo.shape[-1]
        stride = net.stride
        down, right = (int(n) for n in rng.integers(stride, size=2)) if self.recipe.data.jitter else (0, 0)
        shifted = photo
        if down or right:
            shifted = F.pad(photo, (right, stride - right, down, stride - down), mode="replicate")
        seen_part = (..., slice(down, down + side), slice(right, right + side))
        features = net.encode(shifted)
        moments = net.moments(features)
        own = net.style_code(features, moments)
        if code is None:
            assert style is not None
            styled = net.encode(style)
            code = net.style_code(styled, net.moments(styled))
        noise = self.noise(features, step)
        result = self.paint(features, moments, code, noise)[seen_part]
        seen = self.teacher(result, STYLE_LAYERS)
        parts = {"Ls": L.style_loss(list(seen.values()), wanted).mean()}
        deep = seen["relu4_1"]
        if weights.content_kind == "normalised":
            parts["Lc"] = (instance_normalise(deep) - content.float()).square().mean()
        else:
            aim = restyle(content.float(), channel_moments(content), *wanted[3])
            parts["Lc"] = L.content_target_loss(deep, aim).mean()
        content_weight = self._weight("content", parts["Lc"], weights.hold_content)
        total = weights.style * parts["Ls"] + content_weight * parts["Lc"]
        if weights.structure or weights.calm:
            self._structure(result, seen, photo, self._wanted_covariances, parts, calm=True)
            for name in ("structure", "calm"):
                total = total + getattr(weights, name) * parts[name]
        if weights.identity:
            # A quarter of the batch is enough for so easy a term, and another decode of all would cost a fifth more.
            some = slice(0, max(1, len(photo) // 4))
            strengths, aim = self.at_lower_strength(photo[some], result[some], own[some], code[some], rng)
            back = self.paint(
                [f[some] for f in features],
                [(m[some], s[some]) for m, s in moments],
                strengths,
                None if noise is None else [maps[some] for maps in noise],
            )
            parts["identity"] = (back[seen_part] - aim).abs().mean()
            total = total + weights.identity * parts["identity"]
        if weights.ssim:
            parts["SSIM"] = L.ssim(L.luma(result.float().clamp(0, 1)), L.luma(photo)).mean()
            total = total + self._weight("ssim", 1 - parts["SSIM"], weights.hold_ssim) * (1 - parts["SSIM"])
        for name, penalty in PENALTIES.items():
            if weight := getattr(weights, name):
                parts[name] = penalty.of(result, photo)
                total = total + weight * parts[name]
        return total + self.own_terms(seen, parts), parts

    def noise(self, features: list[Tensor], step: int) -> list[Tensor] | None:
        """The noise of a step's paintings, where the network takes any."""
        if isinstance(self.network, PaperNetwork):
            return None
        generator = torch.Generator(self.device)
        generator.manual_seed(
            int(np.random.default_rng([self.recipe.seed, step, self.rank, 29]).integers(2**62))
        )
        return self.network.noise(features, generator)

    def paint(
        self,
        features: list[Tensor],
        moments: list[L.Moments],
        code: Tensor,
        noise: list[Tensor] | None,
    ) -> Tensor:
        """The network's picture ``(N, 3, H, W)``, not clamped."""
        if noise is None or isinstance(self.network, PaperNetwork):
            return self.network.decode(features, moments, code)
        return self.network.decode(features, moments, code, noise)

    def _covariances(self, pictures: Tensor) -> list[Covariances]:
        """The teacher's covariances of styles at every scale that the recipe compares."""
        options = self.recipe.loss
        if not options.structure and not options.calm:
            return []
        return [
            {name: S.covariance(tap) for name, tap in self.teacher(x, STYLE_LAYERS).items()}
            for x in S.pyramid(pictures, options.scales)
        ]

    def own_terms(self, seen: dict[str, Tensor], parts: dict[str, Tensor]) -> Tensor | float:
        """What another method adds to the loss, from the teacher's taps of the results; its parts go to ``parts``."""
        return 0.0

    def at_lower_strength(
        self, photo: Tensor, result: Tensor, own: Tensor, code: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """A code short of the full style, and the picture it should give: here the photograph's own code and itself."""
        return own, photo

    @torch.no_grad()
    def prepare(self, say: Callable[[str], None]) -> None:
        """Standardise the code over a few hundred styles, for the decoder's learned corrections, unless the weights
        started from have seen to it."""
        known = dict(self.network.decoder.named_buffers())
        if "code_mean" not in known or bool(known["code_mean"].any()):
            return
        count = min(256, len(self.chosen))
        side = self.recipe.data.style_size
        codes = []
        for index in self.chosen[:: max(1, len(self.chosen) // count)][:count]:
            codes.append(
                self.network.code(
                    self.network.moments(self.network.encode(self.put([self.styles.centre(index, side)])))
                )
            )
        stacked = torch.cat(codes)
        known["code_mean"].copy_(stacked.mean(dim=0))
        known["code_std"].copy_(
            stacked.std(dim=0).clamp_min(1e-3) if count > 1 else torch.ones_like(stacked[0])
        )
        say(f"style codes standardised over {len(codes)} styles")
