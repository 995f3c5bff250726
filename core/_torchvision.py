"""The only door to torchvision. Importing it costs about two seconds, and its default build does not load beside a
CPU build of torch unless two operator schemas are defined first; both stay out of the inference path."""

from __future__ import annotations

try:
    from torchvision import models
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    import sys

    import torch

    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

__all__ = ["models"]
