"""One network for all styles of the gallery (conditional instance normalisation: Dumoulin et al. 2017).

Departure from the paper: convolutions are AdaIN's, taught by thousands of styles; only the numbers of each of the gallery's
styles are learned, and start at what AdaIN predicts. So a mix of styles is a mix of codes, as in any method here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image
from safetensors.torch import load

from core.errors import ParameterError
from core.methods.adain import AdaINMethod
from core.methods.contract import Picture
from core.nn.gallery import GalleryNetwork
from core.params import PaintParams
from core.tensors import to_tensor


class GalleryMethod(AdaINMethod):
    """The shipped network of the gallery. Raises ``ParameterError`` for a picture that is no style of it."""

    network: GalleryNetwork

    def _network(self, config: Mapping[str, Any]) -> GalleryNetwork:
        return GalleryNetwork(**config)

    def encode_style(self, style: Image.Image) -> bytes:
        row = self._row(style)
        return self.packed(self.network.codes[row], self.network.offsets[row])

    def _encoded_style(self, read: Picture, photo: Image.Image, params: PaintParams) -> bytes:
        style = read()
        if params.keep_colors != "statistics":
            return self.encode_style(style)
        # The style in the photograph's colours, with the strokes learned in its own.
        recoloured = super().encode_style(self.prepare_style(style, photo, params))
        return self.packed(load(recoloured)["code"], self.network.offsets[self._row(style)])

    def _row(self, style: Image.Image) -> slice:
        """The network's row of a style, as a slice of one."""
        found = self.network.find(to_tensor(style, self.device))
        if found is None:
            raise ParameterError(self.spec.only_learned)
        return slice(found, found + 1)
