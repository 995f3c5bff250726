"""How many small paintings a second go through the whole service, with many clients sending at once.

    python -m benchmarks.queue_throughput --clients 100 --seconds 30

Every client sends one photograph of 64 pixels, and as soon as its painting is there the same photograph again at another
strength, over a queue, a database (SQLite) and a worker of its own. Printed are paintings a second in each slice of the
time, the painting's own time, waiting in the median and at the 95th percentile, and the processor time of both sides: on a
machine that others use too, that is what can be compared."""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from core.params import PaintParams
from worker.client import Client
from worker.jobs import JobState
from worker.local import services
from worker.settings import Settings

SLICE_SECONDS = 5.0


def noise(seed: int) -> bytes:
    """A PNG of 64 × 64 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--method", default="adain")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), preload=[args.method], jobs_per_hour=10**6)
        with services(settings, log_file=Path(folder) / "worker.log") as running, Client(settings) as client:
            assert running.worker is not None
            measure(client, args, running.worker.pid)


def _used(worker: psutil.Process) -> tuple[float, float]:
    """Processor seconds of a worker's own process and of its painting processes."""
    painting = sum(sum(each.cpu_times()[:2]) for each in worker.children(recursive=True))
    return sum(worker.cpu_times()[:2]), painting


def measure(client: Client, args: argparse.Namespace, worker: int) -> None:
    """Let all clients send until the time is up."""
    end = time.monotonic() + args.seconds
    painter = psutil.Process(worker)
    used = time.process_time(), *_used(painter)
    began = time.monotonic()
    done: list[tuple[float, int, int]] = []
    failed: list[str] = []

    def work(number: int) -> None:
        owner, strength = f"web:client{number}", 0.0
        photo = client.put_picture(noise(number), owner)
        while time.monotonic() < end:
            strength = (strength + 0.01) % 1.5
            params = PaintParams(method=args.method, alpha=round(strength, 2))
            job = client.submit(owner, photo, "gallery:woodcut", params, source="web")
            last = [job, *client.watch(job.id, timeout=60)][-1]
            if last.state is not JobState.DONE:
                failed.append(f"{last.state}: {last.error}")
                return
            done.append((time.monotonic() - began, last.wait_ms or 0, last.paint_ms or 0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(args.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{args.clients} clients, {len(done)} paintings, {len(failed)} failed {failed[:1]}")
    slices = int(args.seconds // SLICE_SECONDS)
    for index in range(slices):
        count = sum(index <= at / SLICE_SECONDS < index + 1 for at, *_ in done)
        print(f"  {index * SLICE_SECONDS:4.0f} s  {count / SLICE_SECONDS:6.1f} a second")
    waits = sorted(wait for _, wait, _ in done)
    print(f"waiting {statistics.median(waits):.0f} ms, 95 % below {waits[int(0.95 * len(waits))]} ms")
    now = time.process_time(), *_used(painter)
    shares = [1000 * (after - before) / len(done) for before, after in zip(used, now, strict=True)]
    print(
        f"processor time a painting: clients {shares[0]:.1f} ms, worker {shares[1] + shares[2]:.1f} ms, "
        f"{shares[2]:.1f} ms of it in its painting process"
    )
    print(f"painting {statistics.median(paint for *_, paint in done):.0f} ms")


if __name__ == "__main__":
    main()
