"""AdaIN's network with what it has learned of a gallery of styles: conditional instance normalisation (Dumoulin et al. 2017,
section 2.2), whose scales and shifts are here a style's code and its learned offsets on all targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ParameterError
from core.nn.codec import AdaINNetwork
from core.nn.strokes import noise_generator

THUMBNAIL = 16
ALIKE = 8 / 255
"""A picture whose thumbnail differs by no more on average is the style, at whatever size or quality."""


class GalleryNetwork(AdaINNetwork):
    """An ``AdaINNetwork`` and, for each of the named ``styles`` it is for, one row of ``codes`` ``(S, n)``, of ``offsets``
    ``(S, m)`` (see ``core.nn.codec.Decoder.forward``) and of ``thumbnails`` ``(S, 3, 16, 16)`` in [0, 1]."""

    codes: Tensor
    thumbnails: Tensor

    def __init__(self, *, styles: Sequence[str], **network: Any) -> None:
        super().__init__(**network)
        self.styles = list(styles)
        self.config |= {"styles": self.styles}
        count = len(self.styles)
        self.register_buffer("codes", torch.zeros(count, 2 * self.decoder.code.total))
        self.offsets = nn.Parameter(torch.zeros(count, sum(self.decoder.offset_sizes)))
        self.register_buffer("thumbnails", torch.zeros(count, 3, THUMBNAIL, THUMBNAIL))

    def forward(self, photo: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """Stylise ``photo`` ``(N, 3, H, W)`` in one style ``(1, 3, H, W)`` of the gallery, at strength ``alpha``. Raises
        ``ParameterError`` for a picture that is no style of it."""
        row = self.find(style)
        if row is None:
            raise ParameterError("The gallery's network paints in its own styles only.")
        own = slice(row, row + 1)
        features = self.encode(photo)
        moments = self.moments(features)
        code = torch.lerp(self.code(moments), self.codes[own].expand(len(photo), -1), alpha)
        offsets = (alpha * self.offsets[own]).expand(len(photo), -1)
        return self.decode(features, moments, code, self.noise(features, noise_generator()), offsets)

    def find(self, picture: Tensor) -> int | None:
        """The row of the style that a picture ``(1, 3, H, W)``, RGB in [0, 1], shows; ``None`` for any other."""
        return row_of(picture, self.thumbnails)


def thumbnail(picture: Tensor) -> Tensor:
    """A picture ``(1, 3, H, W)`` averaged over 16 × 16 fields."""
    return F.adaptive_avg_pool2d(picture.float(), THUMBNAIL)


def row_of(picture: Tensor, thumbnails: Tensor) -> int | None:
    """The row of ``thumbnails`` ``(S, 3, 16, 16)`` that a picture ``(1, 3, H, W)`` shows; ``None`` for any other."""
    if not len(thumbnails):
        return None
    differences = (thumbnails - thumbnail(picture)).abs().mean(dim=(1, 2, 3))
    nearest = int(differences.argmin())
    return nearest if float(differences[nearest]) <= ALIKE else None
