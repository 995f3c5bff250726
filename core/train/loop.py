"""The training loop, the same for every task: optimiser, schedule, precision, moving average, curves, checkpoints,
and a rollback when the loss explodes."""

from __future__ import annotations

import csv
import json
import math
import signal
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from core.device import fast_bfloat16
from core.errors import ModelError
from core.train import checkpoint
from core.train.optim import make_optimiser
from core.train.recipe import OptimOptions
from core.train.tasks.base import Task
from core.weights.finite import check_finite

ROLLBACKS = 3
EXPLOSION = 20.0
"""A loss this many times the running median counts as an explosion."""


def rate(options: OptimOptions, step: int, steps: int, epoch: int = 1) -> float:
    """Learning rate at ``step`` of ``steps``: linear warm-up, then cosine, inverse decay or constant; or a cosine that
    begins anew every ``restart_epochs`` passes of ``epoch`` steps (Loshchilov & Hutter 2017, eq. 5)."""
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    if options.schedule == "cosine":
        share = 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))
        return options.lr * warm * (options.final + (1 - options.final) * share)
    if options.schedule == "restarts":
        cycle = options.restart_epochs * epoch
        share = 0.5 * (1 + math.cos(math.pi * (step % cycle) / cycle))
        return options.lr * warm * (options.final + (1 - options.final) * share)
    if options.schedule == "inverse":
        return options.lr * warm / (1 + options.lr_decay * step)
    return options.lr * warm


class Trainer:
    """Runs a task to its recipe's last step, or for so many minutes.

    ``folder``: where checkpoint, curves (``curves.csv``) and sheets go. ``milestone``: called with the step and the
    averaged weights loaded every ``sheet_every`` steps. Interrupting (SIGINT, SIGTERM) saves and returns. ``between``,
    where set, is called between two steps: it may wait, and stops the run by returning true. ``before_save``,
    where set, is called before a checkpoint is written, and keeps it from being written by raising.

    Under ``torchrun`` every process draws its own share of pictures, gradients are averaged by torch's
    DistributedDataParallel, and the first process alone measures, logs and saves.
    """

    def __init__(
        self,
        task: Task,
        folder: Path,
        *,
        say: Callable[[str], None] = print,
        milestone: Callable[[int], None] | None = None,
        tensorboard: bool = True,
    ) -> None:
        self.task, self.recipe, self.folder = task, task.recipe, folder
        self.say, self.milestone = say, milestone
        self.step = 0
        self.rollbacks = 0
        self.seconds = 0.0
        self.slowdown = 1.0
        device = task.device
        if device.type == "cuda":
            # Every step has the same shapes; covariances bear TensorFloat-32.
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
        task.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: nn.Module = _LossOf(task)
        self.first = True
        if dist.is_initialized():
            task.rank, self.first = dist.get_rank(), dist.get_rank() == 0
            places = [device] if device.type == "cuda" else None
            self.model = DistributedDataParallel(self.model, device_ids=places)
        options = self.recipe.optim
        self.parameters = [p for p in task.trainable.parameters() if p.requires_grad]
        groups = [{"params": group, "factor": factor} for group, factor in task.rates() if group]
        self.optimiser = make_optimiser(options, groups)
        # A pass over the pictures is asked for by the one schedule that counts in passes.
        self.epoch = task.epoch() if options.schedule == "restarts" else 1
        self.average = [p.detach().clone() for p in self.parameters] if options.ema else None
        precision = self.recipe.precision
        self.bfloat16 = fast_bfloat16(device) if precision == "auto" else precision == "bfloat16"
        self._recent: deque[float] = deque(maxlen=200)
        self._writer: Any = None
        self.between: Callable[[], bool] | None = None
        self.before_save: Callable[[], None] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if tensorboard and self.first:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(folder / "tensorboard")
            except ImportError:
                say("TensorBoard is not installed; the curves go to curves.csv only.")
        self._stop = False

    # State --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump_json(),
            "step": self.step,
            "seconds": self.seconds,
            "rollbacks": self.rollbacks,
            "slowdown": self.slowdown,
            "salt": self.task.salt,
            "task": self.task.state(),
            "network": self.task.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "recent": list(self._recent),
            "rng": torch.get_rng_state(),
        }

    def save(self) -> None:
        """Write the checkpoint (the first process only; the others hold the same weights)."""
        if not self.first:
            return
        if self.before_save is not None:
            self.before_save()
        checkpoint.save(self.folder, self.state())

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False when there is none."""
        state = checkpoint.load(self.folder)
        if state is None:
            return False
        self._restore(state)
        if self.first:
            self._drop_later_curves()
        return True

    def _restore(self, state: dict[str, Any]) -> None:
        check_finite(state["network"], f"The checkpoint in {self.folder}")
        try:
            self.task.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise ModelError(f"The checkpoint in {self.folder} is of another network ({error}).") from None
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None and state["average"] is not None:
            for mine, saved in zip(self.average, state["average"], strict=True):
                mine.copy_(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        self.rollbacks, self.slowdown, self.task.salt = state["rollbacks"], state["slowdown"], state["salt"]
        self.task.restore(state.get("task", {}))
        self._recent = deque(state["recent"], maxlen=200)
        torch.set_rng_state(state["rng"])

    def _drop_later_curves(self) -> None:
        """After a kill the curve may reach beyond the checkpoint; those steps will be run, and logged, again."""
        path = self.folder / "curves.csv"
        if not path.exists():
            return
        rows = path.read_text(encoding="utf-8").splitlines()
        kept = rows[:1] + [row for row in rows[1:] if row and int(row.split(",")[0]) <= self.step]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def averaged(self) -> dict[str, Tensor]:
        """The network's weights with the moving average in place of the trained parameters (float32, CPU)."""
        with self.swapped():
            return {k: v.detach().float().cpu().clone() for k, v in self.task.network.state_dict().items()}

    def swapped(self) -> _Swap:
        return _Swap(self.parameters, self.average)

    # Running ------------------------------------------------------------------------------------------------

    def _advance(self) -> dict[str, float] | None:
        """One optimiser step; ``None`` when the loss is not finite or explodes (nothing was changed)."""
        for group in self.optimiser.param_groups:
            now = rate(self.recipe.optim, self.step, self.recipe.steps, self.epoch) * self.slowdown
            group["lr"] = now * group.get("factor", 1.0)
        with torch.autocast(self.task.device.type, torch.bfloat16, enabled=self.bfloat16):
            total, parts = self.model(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        clip = self.recipe.optim.clip
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, clip) if clip else torch.zeros_like(total)
        # One journey from the device for all numbers: each would wait for everything before it.
        numbers = [self._mean(total), norm, *(parts[name].detach() for name in parts)]
        value, size, *means = torch.stack([number.detach().float() for number in numbers]).tolist()
        if not math.isfinite(value) or not math.isfinite(size):
            return None
        if len(self._recent) >= 50 and value > EXPLOSION * statistics.median(self._recent):
            return None
        self._recent.append(value)
        self.optimiser.step()
        if self.average is not None:
            # Early on the average follows quickly, so it does not remember the random start.
            decay = min(self.recipe.optim.ema, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        self.step += 1
        return {"loss": value, **dict(zip(parts, means, strict=True))}

    @staticmethod
    def _mean(value: Tensor) -> Tensor:
        """The mean over all processes, so that they decide alike."""
        value = value.detach().clone()
        if dist.is_initialized():
            dist.all_reduce(value)
            value /= dist.get_world_size()
        return value

    def _roll_back(self) -> None:
        self.rollbacks += 1
        if self.rollbacks > ROLLBACKS:
            raise ModelError(
                f"The training exploded {self.rollbacks} times, last at step {self.step}; lower optim.lr in the recipe."
            )
        failed, count, slowdown = self.step, self.rollbacks, self.slowdown / 2
        state = checkpoint.load(self.folder)
        assert state is not None
        self._restore(state)
        if self.first:
            self._drop_later_curves()
        self.rollbacks, self.slowdown = count, slowdown
        self.task.salt = count
        self.say(
            f"The loss exploded at step {failed}: back to step {self.step} with half the learning rate "
            f"({count} of {ROLLBACKS})."
        )
        self.save()

    def _log(self, sums: dict[str, float], count: int, speed: float) -> None:
        means = {k: v / count for k, v in sums.items()}
        row = {"step": self.step, "seconds": round(self.seconds, 1), "it_per_s": round(speed, 2)}
        row |= {"lr": self.optimiser.param_groups[0]["lr"]} | {k: round(v, 5) for k, v in means.items()}
        path = self.folder / "curves.csv"
        new = not path.exists()
        with open(path, "a", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        if self._writer is not None:
            for key, value in means.items():
                self._writer.add_scalar(f"loss/{key}", value, self.step)
            self._writer.add_scalar("rate", row["lr"], self.step)

    def run(self, minutes: float | None = None, progress: bool = True, until: int | None = None) -> bool:
        """Train to the last step (or to step ``until``) or for ``minutes``; returns whether the last step was reached."""
        recipe = self.recipe
        last = min(recipe.steps, until) if until is not None else recipe.steps
        if self.step == 0:
            self.task.prepare(self.say)
        if self.step == 0 and self.first:
            (self.folder / checkpoint.RECIPE).write_text(json.dumps(recipe.model_dump(mode="json"), indent=1))
            self.save()
        deadline = time.monotonic() + minutes * 60 if minutes is not None else math.inf
        saved = logged = time.monotonic()
        logged_step = self.step
        sums: dict[str, float] = {}
        previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        in_main = _in_main_thread()
        if in_main:
            for number in previous:
                signal.signal(number, self._ask_to_stop)
        bar = tqdm(
            total=recipe.steps,
            initial=self.step,
            unit="it",
            disable=None if progress and self.first else True,
            smoothing=0.05,
        )
        try:
            while self.step < last and not self._shall_stop(deadline):
                before = time.monotonic()
                parts = self._advance()
                if parts is None:
                    self._roll_back()
                    sums, logged_step = {}, self.step
                    bar.n = self.step
                    continue
                self.seconds += time.monotonic() - before
                for key, value in parts.items():
                    sums[key] = sums.get(key, 0.0) + value
                bar.update()
                now = time.monotonic()
                if self.first and (_is_logged(self.step, recipe.log_every) or self.step == last):
                    count = self.step - logged_step
                    speed = count / (now - logged)
                    self._log(sums, count, speed)
                    text = " ".join(f"{k} {v / count:.3f}" for k, v in sums.items())
                    bar.set_postfix_str(text)
                    if bar.disable:
                        left = (recipe.steps - self.step) / speed / 60
                        self.say(
                            f"step {self.step}/{recipe.steps}  {text}  {speed:.2f} it/s  {left:.0f} min left"
                        )
                    sums, logged, logged_step = {}, now, self.step
                if self.milestone is not None and (
                    self.step % recipe.sheet_every == 0 or self.step == recipe.steps
                ):
                    with self.swapped():
                        self.milestone(self.step)
                    logged = time.monotonic()
                if now - saved > recipe.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        finally:
            bar.close()
            self.save()
            if self._writer is not None:
                self._writer.flush()
            if in_main:
                for number, handler in previous.items():
                    signal.signal(number, handler)
        return self.step >= recipe.steps

    def _shall_stop(self, deadline: float) -> bool:
        stop = self._stop or time.monotonic() >= deadline or (self.between is not None and self.between())
        if not dist.is_initialized():
            return stop
        # One process that is asked to stop stops all, at the same step.
        return float(self._mean(torch.tensor(float(stop), device=self.task.device))) > 0

    def _ask_to_stop(self, *_: object) -> None:
        self._stop = True


def _is_logged(step: int, every: int) -> bool:
    """Whether the curves have a point at ``step``: every so many steps, and before the first of these at 1, 2, 4, 8 …, so
    that a slow training shows from the beginning what it does."""
    return step % every == 0 or (step < every and step & (step - 1) == 0)


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


class _LossOf(nn.Module):
    """A task as a module whose forward is its loss, which is what DistributedDataParallel wraps."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.trainable = task.trainable
        self._task = (task,)

    def forward(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self._task[0].loss(step)


class _Swap:
    """Context manager: the averaged weights stand in for the trained ones inside."""

    def __init__(self, parameters: Sequence[Tensor], average: list[Tensor] | None) -> None:
        self.parameters, self.average = parameters, average

    def __enter__(self) -> None:
        self._exchange()

    def __exit__(self, *_: object) -> None:
        self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        if self.average is None:
            return
        for parameter, mean in zip(self.parameters, self.average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(kept)
