"""Trainings for tests: tiny pictures, a tiny network, an untrained teacher, and a service whose parts can be killed."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

from core.train import checkpoint
from core.train.recipe import Recipe
from tests.core.conftest import texture, untrained_vgg
from tests.worker.conftest import until
from worker.client import Client
from worker.embedded import QueueServer
from worker.local import start_worker
from worker.processes import stop_process
from worker.settings import Settings
from worker.training import SliceView, TrainingView
from worker.training.service import TrainingService

OWNER = "cli:test"
PATIENCE = 160.0  # a busy machine is no fault of a training
DATA = {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0}
WITH_PAIRS = DATA | {"hold_out": 2}


def tiny(**changes: Any) -> Recipe:
    """A recipe whose step takes some hundredths of a second."""
    values: dict[str, Any] = {
        "name": "tiny",
        "task": "adain",
        "steps": 12,
        "batch": 1,
        "freeze_encoder": False,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": {"widths": (4, 4, 8, 8), "depths": (1, 1, 1), "blocks": (0, 0, 0, 0), "hidden": 8},
        "data": DATA,
        "optim": {"warmup": 2, "ema": 0.9},
        "checkpoint_seconds": 0.2,
    }
    return Recipe(**(values | changes))


class Material:
    """Two folders of pictures and a teacher."""

    def __init__(self, folder: Path) -> None:
        self.photos, self.styles, self.vgg = folder / "photos", folder / "styles", folder / "vgg.safetensors"
        for kind, count in ((self.photos, 8), (self.styles, 7)):
            kind.mkdir(parents=True)
            for number in range(count):
                texture(number + 100 * len(kind.name)).save(kind / f"{number}.png")
        untrained_vgg().save(self.vgg)


class School:
    """Database, queue and workers that train."""

    def __init__(self, folder: Path, material: Material, **changes: Any) -> None:
        self.material = material
        values: dict[str, Any] = {
            "data_dir": folder / "data",
            "train_vgg": str(material.vgg),
            "train_slice_seconds": 0.4,
            "train_min_free_mb": 0.0,
            "worker_queues": ["train"],
            "lease_seconds": 4.0,
            "maintenance_seconds": 0.2,
            "threads": 1,
            "device": "cpu",
        }
        self.settings = Settings(_env_file=None, **(values | changes))
        self.log_file = folder / "worker.log"
        self.client = Client(self.settings)
        self.server: QueueServer | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def service(self) -> TrainingService:
        return self.client.training

    def start_server(self) -> None:
        self.server = QueueServer(self.settings)
        self.server.start()

    def kill_server(self) -> None:
        assert self.server is not None
        assert self.server.process is not None
        self.server.process.kill()
        self.server.process.wait()
        self.server.stop()
        self.server = None

    def start_worker(self, **changes: Any) -> subprocess.Popen[bytes]:
        worker = start_worker(self.settings.model_copy(update=changes), log_file=self.log_file)
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        for worker in self.workers:
            stop_process(worker)
        self.workers.clear()

    def stop(self) -> None:
        self.stop_workers()
        if self.server is not None:
            self.server.stop()
        self.client.close()

    def start(self, recipe: Recipe | None = None, **options: Any) -> TrainingView:
        """Hand in a training on the tests' pictures."""
        content = options.pop("content", [str(self.material.photos)])
        style = options.pop("style", [str(self.material.styles)])
        return self.service.start(recipe or tiny(), content, style, owner=OWNER, **options)

    def wait(self, run: TrainingView, condition: Any, what: str) -> TrainingView:
        """Wait until something is true of a training."""
        try:
            until(lambda: condition(self.service.run(run.id)), what, PATIENCE)
        except AssertionError:
            now = self.service.run(run.id)
            log = self.log_file.read_text()[-3000:] if self.log_file.exists() else ""
            raise AssertionError(f"{what}: {now.state}, step {now.step}, {now.message}\n{log}") from None
        return self.service.run(run.id)

    def finish(self, run: TrainingView) -> TrainingView:
        """Wait until a training rests."""
        return self.wait(run, lambda now: now.state in ("done", "failed", "paused", "cancelled"), "its end")

    def under_way(self, run: TrainingView, step: int = 1) -> TrainingView:
        """Wait until a worker trains it and has a checkpoint."""
        return self.wait(
            run,
            lambda now: now.state == "running" and now.phase == "train" and self.checkpoint(run) >= step,
            "a checkpoint",
        )

    def checkpoint(self, run: TrainingView) -> int:
        """The step of the checkpoint on the disk; -1 when there is none."""
        state = checkpoint.load(self.service.folder(run.id).path)
        return int(state["step"]) if state else -1

    def curve(self, run: TrainingView) -> list[int]:
        """Every step that was logged, in the order of the file."""
        with open(self.service.folder(run.id).path / "curves.csv", newline="") as file:
            return [int(row["step"]) for row in csv.DictReader(file)]

    def slices(self, run: TrainingView) -> list[SliceView]:
        """Oldest first."""
        return self.service.slices(run.id)[::-1]
