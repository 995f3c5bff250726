"""Optimisers by name, Ranger among them: RAdam (Liu et al. 2020) with Lookahead (Zhang et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from core.train.recipe import OptimOptions

LOOKAHEAD_STEPS, LOOKAHEAD_SHARE = 6, 0.5
"""Ranger's: after every 6 steps the slow weights go half of the way to the fast ones."""


class Lookahead:
    """Slow weights that follow another optimiser's fast ones (Zhang et al. 2019, algorithm 1).

    ``inner`` makes the steps; after every ``steps`` of them ``slow ← slow + share · (fast − slow)`` and the fast weights
    start from there. Parameter groups are the inner optimiser's. Slow weights and the count of steps are part of
    ``state_dict``, so a resumed training goes on exactly. Raises ``ValueError`` for a share outside (0, 1] or no steps.
    """

    def __init__(
        self,
        inner: torch.optim.Optimizer,
        steps: int = LOOKAHEAD_STEPS,
        share: float = LOOKAHEAD_SHARE,
    ) -> None:
        if steps < 1 or not 0 < share <= 1:
            raise ValueError(f"Lookahead takes at least one step and a share in (0, 1], not {steps}, {share}")
        self.inner, self.steps, self.share = inner, steps, share
        self.count = 0
        self.slow = [p.detach().clone() for p in self._fast()]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.inner.param_groups

    def _fast(self) -> list[Tensor]:
        return [p for group in self.inner.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self) -> None:
        """One step of the inner optimiser; the slow weights follow when it is their turn."""
        self.inner.step()
        self.count += 1
        if self.count % self.steps == 0:
            fast = [p.detach() for p in self._fast()]
            torch._foreach_lerp_(self.slow, fast, self.share)
            torch._foreach_copy_(fast, self.slow)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"inner": self.inner.state_dict(), "slow": list(self.slow), "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.inner.load_state_dict(state_dict["inner"])
        for mine, saved in zip(self.slow, state_dict["slow"], strict=True):
            mine.copy_(saved)
        self.count = state_dict["count"]


Optimiser = torch.optim.Optimizer | Lookahead
"""What ``Trainer`` steps."""


def make_optimiser(
    options: OptimOptions, parameters: Iterable[Tensor] | Iterable[dict[str, Any]]
) -> Optimiser:
    """The optimiser of a recipe for parameters or groups of them. "adam" and "radam" add ``weight_decay · w`` to the
    gradient, as the papers that use them do; "ranger" decouples it (``w ← w − lr · weight_decay · w``), as its author's
    code does: 0.1 in the gradient would outweigh every loss."""
    values: dict[str, Any] = {
        "lr": options.lr,
        "betas": options.betas,
        "weight_decay": options.weight_decay,
    }
    if options.optimiser == "adam":
        return torch.optim.Adam(parameters, **values)
    if options.optimiser == "radam":
        return torch.optim.RAdam(parameters, **values)
    return Lookahead(torch.optim.RAdam(parameters, decoupled_weight_decay=True, **values))
