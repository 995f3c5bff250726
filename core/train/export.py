"""From a training folder to weights in the registry: safetensors, manifest entry, model card."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from core.weights import FOLDER, file_digest
from core.weights.finite import check_finite


def export(
    name: str,
    state: dict[str, Tensor],
    network: dict[str, Any],
    folder: Path = FOLDER,
    training: dict[str, Any] | None = None,
) -> str:
    """Write ``folder/name.safetensors`` and its line in ``folder/manifest.json``; returns the SHA-256.

    ``state``: float32 CPU tensors; ``network``: the constructor's arguments; ``training``: how the weights came about
    (recipe, steps, minutes, hardware), for the model card. Raises ``ModelError`` for weights that are not finite.
    """
    check_finite(state, f"The model '{name}'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    temporary = path.with_suffix(".tmp")
    save_file(
        {k: v.contiguous() for k, v in state.items()}, temporary, metadata={"network": json.dumps(network)}
    )
    temporary.chmod(0o644)
    digest = file_digest(temporary)
    os.replace(temporary, path)
    listing = folder / "manifest.json"
    entries = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else {}
    entries[name] = {
        "sha256": digest,
        "network": network,
        "parameters": sum(v.numel() for v in state.values()),
        "training": training or {},
    }
    listing.write_text(json.dumps(dict(sorted(entries.items())), indent=2) + "\n", encoding="utf-8")
    return digest
