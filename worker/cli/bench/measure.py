"""The measurements of ``allaprima bench``; each returns rows of figures."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import registry
from core.errors import ParameterError
from core.params import DEFAULT_METHOD, PaintParams

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.methods.feedforward import FeedForward
    from worker.cli.bench.baseline import PlainAdaIN

STYLE_SIDE = 512
QUEUE_SIDE = 256


@dataclass(frozen=True)
class Row:
    """One figure: ``part`` (speed, queue, import, memory), what was measured, at which size, median and least
    of ``runs`` values in ``unit``, the baseline's median where there is one, and the method and its weights' hash."""

    part: str
    what: str
    size: int | None
    median: float
    least: float
    runs: int
    unit: str
    baseline: float | None = None
    method: str = ""
    model: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times less than the baseline."""
        return self.baseline / self.median if self.baseline and self.median else None


def pictures(size: int, method_name: str = DEFAULT_METHOD) -> tuple[Image, Image]:
    """A sample photo cut to a square of ``size`` pixels, and a style of the gallery of 512 that the method paints in."""
    from PIL import Image, ImageOps

    from core.images import read_picture
    from core.samples import samples
    from core.styles import style_path

    lanczos = Image.Resampling.LANCZOS
    photo = ImageOps.fit(read_picture(samples()[0]), (size, size), lanczos)
    style = read_picture(style_path(_style_of(method_name)))
    return photo, ImageOps.fit(style, (STYLE_SIDE, STYLE_SIDE), lanczos)


def _style_of(method_name: str) -> str:
    """A style of the gallery that a method paints in. Raises ``ParameterError`` where there is none."""
    spec = registry.method(method_name)
    if spec.first_style is None:
        raise ParameterError(spec.only_learned)
    return spec.first_style


def timed(
    ours: Callable[[], Any],
    theirs: Callable[[], Any] | None,
    repeats: int,
    budget: float,
    settle: Callable[[], None],
) -> tuple[list[float], list[float]]:
    """Milliseconds of both functions, run by turns so that a slow moment of the machine hits both.

    One unmeasured run each comes first; after ``budget`` seconds no further pair is begun.
    """
    mine: list[float] = []
    other: list[float] = []
    started = time.perf_counter()
    for turn in range(repeats + 1):
        for function, times in ((ours, mine), (theirs, other)):
            if function is not None:
                settle()
                before = time.perf_counter()
                function()
                settle()
                if turn:
                    times.append((time.perf_counter() - before) * 1000)
        if turn and time.perf_counter() - started > budget:
            break
    return mine, other


def speed(method_name: str, device: str, sizes: list[int], repeats: int, budget: float) -> Iterator[Row]:
    """Encode, decode and the whole, with the style cached and not, against the plain float32 graph."""
    import torch

    from core.methods import feedforward
    from worker.cli.bench.baseline import PlainAdaIN

    method = feedforward.load(method_name, None if device == "auto" else device)
    place = method.device
    plain = PlainAdaIN(str(place))

    def settle() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize(place)

    for size in sizes:
        for what, ours, theirs in _contenders(method, plain, size):
            mine, other = timed(ours, theirs, repeats, budget, settle)
            base = statistics.median(other)
            figures = statistics.median(mine), min(mine), len(mine), "ms", base
            yield Row("speed", what, size, *figures, method_name, method.model_hash[:12])


def _contenders(
    method: FeedForward, plain: PlainAdaIN, size: int
) -> list[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    photo, style = pictures(size, method.spec.name)
    params = PaintParams(method=method.spec.name)
    content, code = method.encode_content(photo), method.encode_style(style)
    plain_content, plain_style = plain.encode(photo), plain.encode(style)
    return [
        ("encode style", lambda: method.encode_style(style), lambda: plain.encode(style)),
        ("encode photo", lambda: method.encode_content(photo), lambda: plain.encode(photo)),
        (
            "decode",
            lambda: method.decode(content, [code], None, params),
            lambda: plain.decode(plain_content, plain_style),
        ),
        (
            "whole, style cached",
            lambda: method.decode(method.encode_content(photo), [code], None, params),
            lambda: plain.decode(plain.encode(photo), plain_style),
        ),
        ("whole", lambda: method.stylize(photo, style, params), lambda: plain.stylize(photo, style)),
    ]


def queue(method_name: str, jobs: int) -> Iterator[Row]:
    """What the queue adds to a job: from handing it in until its picture is back, less painting."""
    from core.images import to_png
    from worker.cli.services import changed
    from worker.client import Client
    from worker.local import services
    from worker.settings import get_settings

    owner = "cli:bench"
    with tempfile.TemporaryDirectory(prefix="allaprima-bench-") as folder:
        # A queue, a database and a worker of its own: nothing else is in the way, and nothing is left behind.
        settings = changed(get_settings(), data_dir=Path(folder)).model_copy(
            update={"redis_url": None, "database_url": None, "blob_backend": "disk"}
        )
        with services(settings, log_file=Path(folder) / "worker.log"), Client(settings) as client:
            photo = client.put_picture(to_png(pictures(QUEUE_SIDE)[0]), owner)
            overhead, whole = [], []
            for number in range(jobs + 2):
                # Another strength each time: the same job would be answered with the earlier result.
                strengths = registry.method(method_name).strengths(0.5 + number / 1000)
                params = PaintParams.parse(method=method_name, **strengths)
                before = time.perf_counter()
                job = client.submit(owner, photo, f"gallery:{_style_of(method_name)}", params, source="cli")
                *_, job = client.watch(job.id)
                client.result(job.id, owner)
                elapsed = (time.perf_counter() - before) * 1000
                if number >= 2:  # the first ones load the model and fill the caches
                    whole.append(elapsed)
                    overhead.append(elapsed - (job.paint_ms or 0))
    for what, times in (("job, in all", whole), ("job less painting", overhead)):
        yield Row(
            "queue", what, QUEUE_SIDE, statistics.median(times), min(times), jobs, "ms", None, method_name
        )


def imports(repeats: int) -> Iterator[Row]:
    """How long importing the bot and the page takes in a fresh interpreter; the baseline is torch."""
    torch = statistics.median(_import_seconds("torch") for _ in range(repeats))
    for name in ("bot.app", "webui.app"):
        _import_seconds(name)  # compiles what is not compiled yet
        times = [_import_seconds(name) for _ in range(repeats)]
        yield Row("import", name, None, statistics.median(times), min(times), repeats, "ms", torch)


def _import_seconds(module: str) -> float:
    code = f"import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"
    return float(_python("-c", code).splitlines()[-1])


def memory(method_name: str, device: str, size: int) -> Iterator[Row]:
    """Peak memory (resident set) of a fresh process that paints once at ``size``; the baseline in another."""
    ours = float(_python("-m", "worker.cli.bench.measure", "ours", method_name, device, str(size)))
    theirs = float(_python("-m", "worker.cli.bench.measure", "baseline", method_name, device, str(size)))
    yield Row("memory", "peak resident set", size, ours, ours, 1, "MB", theirs, method_name)


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    if done.returncode:
        from core.errors import AllaPrimaError

        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AllaPrimaError(f"A measuring process ended with {done.returncode}: {last}")
    return done.stdout


def _paint_once(which: str, method_name: str, device: str, size: int) -> float:
    photo, style = pictures(size, method_name)
    if which == "ours":
        from worker.cli.stylize import load_method

        load_method(method_name, device).stylize(photo, style, PaintParams(method=method_name))
    else:
        from worker.cli.bench.baseline import PlainAdaIN

        PlainAdaIN("cpu" if device == "auto" else device).stylize(photo, style)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    print(_paint_once(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
