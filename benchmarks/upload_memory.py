"""Twenty uploads at once, each as costly as the limits allow: how much memory the page takes, and what each caller hears.

    python -m benchmarks.upload_memory                     a page of its own, 20 pictures at once
    python -m benchmarks.upload_memory --uploads 40

Pictures of 80 megapixels of several kinds (palette, progressive, WebP, AVIF, 16 bits), 1,200 scans in a few hundred
kilobytes, a decompression bomb. Orders go through the page's API as a program's would; no worker paints them.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from PIL import Image

from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SIZE = (9_000, 8_800)


def pictures(folder: Path) -> list[Path]:
    """The files to send."""
    grey = Image.linear_gradient("L").resize(SIZE)
    rgb = Image.merge("RGB", [grey, grey.transpose(Image.Transpose.ROTATE_180), grey])
    palette = rgb.quantize(64)
    kinds = {
        "palette.png": (palette, {"transparency": 0}),
        "rgb.png": (rgb, {"compress_level": 1}),
        "deep.png": (grey.convert("I;16"), {"compress_level": 1}),
        "plain.jpg": (rgb, {"quality": 60}),
        "progressive.jpg": (rgb, {"quality": 60, "progressive": True, "subsampling": 0}),
        "canvas.webp": (rgb, {"quality": 10, "method": 0}),
        "fast.avif": (rgb, {"quality": 30, "speed": 10}),
    }
    made = []
    for name, (picture, options) in kinds.items():
        picture.save(folder / name, **options)
        made.append(folder / name)
    out = io.BytesIO()
    rgb.resize((1_200, 1_200)).save(out, "JPEG", progressive=True, quality=60)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    (folder / "scans.jpg").write_bytes(data[:last] + data[last:-2] * 1_200 + b"\xff\xd9")
    Image.new("1", (30_000, 30_000)).save(folder / "bomb.png")
    return [*made, folder / "scans.jpg", folder / "bomb.png"]


class Watch(threading.Thread):
    """The largest resident memory of a process, and of it with its children, in MB."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.alone, self.together, self.over = process, 0, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            alone = self.process.memory_info().rss
            children = 0
            for child in self.process.children(recursive=True):
                try:
                    children += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.alone, self.together = max(self.alone, alone), max(self.together, alone + children)


def send(url: str, file: Path) -> str:
    """One order by a caller of its own; what came of it."""
    from gradio_client import Client, handle_file

    try:
        caller = Client(url, verbose=False)
        rest = [None] * 13
        caller.submit(handle_file(file), "woodcut", *rest, api_name="/submit").result()
    except Exception as error:
        return f"{file.name}: {error}"
    return f"{file.name}: taken"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uploads", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = pictures(folder)
        settings = Settings(data_dir=folder / "data", web_port=0, log_level="WARNING")
        page = subprocess.Popen(
            [sys.executable, "-u", "-m", "webui"],
            cwd=ROOT,
            env=os.environ | settings.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert page.stdout is not None
            url = next(line for line in page.stdout if "http" in line).split()[-1]
            process = psutil.Process(page.pid)
            send(url, files[3])
            rest = process.memory_info().rss >> 20
            watch = Watch(process)
            watch.start()
            started = time.perf_counter()
            with ThreadPoolExecutor(arguments.uploads) as pool:
                heard = list(pool.map(lambda n: send(url, files[n % len(files)]), range(arguments.uploads)))
            seconds = time.perf_counter() - started
            time.sleep(1)
            watch.over.set()
            watch.join()
            after = process.memory_info().rss >> 20
        finally:
            page.terminate()
            page.wait()
    for line, count in sorted(Counter(heard).items()):
        print(f"{count} × {line}")
    print(f"{arguments.uploads} uploads in {seconds:.1f} s")
    print(f"page: {rest} MB before, at most {watch.alone >> 20} MB, {after} MB after")
    print(f"page and its decoding child: at most {watch.together >> 20} MB")


if __name__ == "__main__":
    main()
