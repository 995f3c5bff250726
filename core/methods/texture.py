"""Texture networks (Ulyanov et al. 2016, section 4.2): the photograph's pyramid and noise at several scales, in the styles
that they have learned. Another seed is another painting, the same seed the same."""

from __future__ import annotations

from core.methods.johnson import JohnsonMethod
from core.nn.texture import TextureNetwork


class TextureMethod(JohnsonMethod):
    """A texture network with its weights."""

    limits = (
        "It paints in the styles that it has learned, and in their mixes, only. Small things drown in the strokes of some "
        "seeds. Its noise is drawn at the size that is painted: another size is another painting. Beyond strength 1 colours "
        "clip. Faces are not treated specially."
    )
    network_class = TextureNetwork
