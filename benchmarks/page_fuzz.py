"""Thousands of nonsensical calls to the running page: what it answers, how long it takes, what memory it keeps.

    python -m benchmarks.page_fuzz                        3,500 calls with seed 1
    python -m benchmarks.page_fuzz --calls 500 --seed 7

Every handler, named endpoint and own route of a page with a queue and a worker of its own, by an operator, so that the
operators' routes answer, too. Ends with status 1 when there was a 5xx, a traceback in the page's log, a call over 5 s, an
answer that tells of the server's inside, or more than 100 MB of memory kept, counted from the new page.
"""

from __future__ import annotations

import argparse
import io
import platform
import tempfile
import time
from pathlib import Path

import psutil
from PIL import Image

from tests.webui.fuzz import LONGEST, Fuzzer
from tests.webui.page_process import page
from webui.app import TRIM_SECONDS
from worker.local import services
from worker.settings import Settings

PASSWORD = "let the fuzzer in"
KEPT_MB = 100.0
WARM_CALLS = 150  # each handler and route once


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=3500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(file, "PNG")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            _env_file=None,
            data_dir=Path(folder),
            database_url=None,
            redis_url=None,
            telegram_token=None,
            extra_methods=["tests.worker.slow_method"],
            preload=["mix"],
            web_port=0,
            web_public_url=None,
            threads=1,
            maintenance_seconds=0.5,
            operator_password=PASSWORD,  # type: ignore[arg-type]
        )
        with services(settings, log_file=Path(folder) / "worker.log"), page(settings) as started:
            process = psutil.Process(started.process.pid)
            fresh = process.memory_info().rss / 1e6
            # What is loaded at its first use is no leak.
            warm = Fuzzer(started.url, given.seed + 1, file.getvalue(), PASSWORD).run(WARM_CALLS)
            fuzzer = Fuzzer(started.url, given.seed, file.getvalue(), PASSWORD)
            before, began = process.memory_info().rss / 1e6, time.monotonic()
            report = fuzzer.run(given.calls)
            took, most = time.monotonic() - began, process.memory_info().rss / 1e6
            time.sleep(2 * TRIM_SECONDS)
            after = process.memory_info().rss / 1e6
            log = [started.lines.get_nowait() for _ in range(started.lines.qsize())]
    faults = warm.faults + report.faults
    faults += [f"log: {line}" for line in log if "Traceback" in line or "Exception in ASGI" in line]
    if report.slowest > LONGEST:
        faults.append(f"{report.slowest:.1f} s: {report.slowest_call}")
    if after - fresh > KEPT_MB:
        faults.append(f"{after - fresh:.0f} MB of memory kept")
    print(f"{given.calls} calls, seed {given.seed}, {took:.0f} s, Python {platform.python_version()}")
    print("calls:", dict(report.calls.most_common()))
    print("statuses:", dict(sorted(report.statuses.items())))
    print(f"slowest: {report.slowest:.2f} s, {report.slowest_call[:160]}")
    print(
        f"memory: {fresh:.0f} MB when new, {before:.0f} MB after {WARM_CALLS} calls, {most:.0f} MB at the end, "
        f"{after:.0f} MB a moment later"
    )
    print(f"faults: {len(faults)}", *faults[:40], sep="\n  ")
    if faults:
        print(*log[-60:], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
