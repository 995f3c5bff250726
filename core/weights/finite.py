"""The one way weights are read, and the check that every door has: weights that are not finite numbers paint nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


def check_finite(state: Mapping[str, Tensor], what: str | Path) -> None:
    """Raises ``ModelError`` when a tensor of ``state`` holds a value that is infinite or no number; ``what``: whose they
    are, for the sentence."""
    broken = [name for name, value in state.items() if not bool(value.isfinite().all())]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise ModelError(
            f"{what} holds weights that are not finite numbers ({broken[0]}{more}); its training has failed, use an "
            "earlier state of it."
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU. Raises ``ModelError`` for a file that cannot be read or whose
    weights are not finite."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as safetensors ({error}).") from None
    check_finite(state, path)
    return state
