"""How long the page's HTML takes to be made: the pieces that are made anew while people paint, and the page as a whole.

    python -m benchmarks.page_html

A piece's time is the median over many calls, in milliseconds; "first" is its first call in the process, which reads the
template. The page as a whole is built a few times in fresh processes, without a server."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from core.params import PaintParams
from core.survey.results import Agreement, PairResult, Results, Summary
from webui import views
from webui.hanging import history
from webui.pad import pad
from webui.pictures import Links
from webui.survey.figures import results_html
from worker.jobs import JobState, JobView

BUILD = """
import tempfile, time
from pathlib import Path
from worker.client import Client
from worker.settings import Settings
import gradio
from webui import app
from webui.pictures import Links
from webui.site import Site, Shelf
folder = Path(tempfile.mkdtemp())
settings = Settings(_env_file=None, data_dir=folder, database_url=None, operator_password="x")
with Client(settings) as client:
    site = Site(settings, client, Links(b"key"), Shelf(folder, app.quota_of(settings)))
    start = time.perf_counter()
    app.build(site)
    print(time.perf_counter() - start)
"""


def job(number: int) -> JobView:
    """A finished painting; six of one photograph each."""
    return JobView.model_validate(
        {
            "id": f"{number:032x}",
            "owner": "web:x",
            "source": "web",
            "state": JobState.DONE,
            "params": PaintParams(seed=number),
            "photo_key": f"{number // 6:064d}",
            "style": "gallery:woodcut",
            "style_label": "Woodcut & “more”",
            "width": 1200,
            "height": 800,
            "paint_ms": 900,
            "created_at": datetime.now(UTC),
        }
    )


def study(pairs: int) -> Results:
    """The results of a study."""
    summary = Summary(30, 6.1, 6.0, 1.2, 5.6, 6.5, (0, 1, 2, 3, 4, 8, 6, 4, 1, 1))
    rows = tuple(
        PairResult(
            str(n), None, f"Photo × Style {n}", summary, float(n + 1), 1.0, float(pairs), 30, 0, {"Ls": 0.5}
        )
        for n in range(pairs)
    )
    return Results(
        "s", "Study", "open", (1, 10), 30, 30, 30 * pairs, 30 * pairs, 0, 0, (), summary, summary, rows, (),
        Agreement(0.7, 30), (), (),
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_html", description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--builds", type=int, default=5)
    args = parser.parse_args(argv)
    links, jobs, results = Links(b"key"), [job(number) for number in range(24)], study(20)
    styles: list[Any] = [views.Tile(f"style-{n}", f"Style {n}", "", "A style.") for n in range(40)]
    pieces: dict[str, Callable[[], str]] = {
        "history of 24 paintings": lambda: history(jobs, links, jobs[0].id, more=True),
        "gallery of 40 styles": lambda: views.tiles(styles),
        "pad": lambda: pad(1.0, 0.35),
        "status line": lambda: views.status(jobs[0]),
        "easel": lambda: views.painting(jobs[0], links) + views.download(jobs[0], links, 2048),
        "results of 20 pairs": lambda: results_html(results, {}),
    }
    for name, make in pieces.items():
        times = []
        for _ in range(args.calls):
            start = time.perf_counter()
            make()
            times.append(1000 * (time.perf_counter() - start))
        size = len(make().encode())
        print(f"{name:26} {statistics.median(times):8.3f} ms   first {times[0]:7.2f} ms   {size:6} bytes")
    builds = [
        float(
            subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(args.builds)
    ]
    print(
        f"{'the whole page':26} {1000 * statistics.median(builds):8.0f} ms   least {1000 * min(builds):7.0f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
