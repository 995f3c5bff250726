"""Several trainings side by side on one GPU, after `allaprima doctor` and `allaprima bench` if asked for.

    python benchmarks/train_on_gpu.py --minutes 6 --content photos.tar --style styles.tar --vgg vgg19.safetensors \
        --out results adain-strokes:core/weights/adain.safetensors adain-fine:widened.safetensors

One small network leaves most of a large GPU idle; so each training is a process of its own. Weights and curves of all
come to --out, weights of more than --halve bytes as float16. More fields of all recipes: --set, as `allaprima train`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ALLAPRIMA = [sys.executable, "-m", "worker.cli"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "trainings", nargs="+", metavar="RECIPE:WEIGHTS", help="recipe and weights to start from"
    )
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--content", nargs="+", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--vgg", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--work", type=Path, default=Path("runs"), help="folder of the trainings (%(default)s)"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--bench", metavar="METHODS", help="first doctor, and speed of these methods")
    parser.add_argument("--bench-seconds", type=float, default=60)
    parser.add_argument("--halve", type=int, default=15_000_000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "3"}
    if args.bench:
        subprocess.run([*ALLAPRIMA, "doctor"], env=env, check=False)
        bench = [
            "bench",
            "--parts",
            "speed",
            "--sizes",
            "512,1024,2048",
            "--method",
            args.bench,
            "--budget",
            "2",
        ]
        command = [*ALLAPRIMA, *bench, "--device", args.device, "-o", str(args.out / f"{args.device}.csv")]
        try:
            subprocess.run(command, env=env, check=False, timeout=args.bench_seconds)
        except subprocess.TimeoutExpired:
            print("the benchmark took too long and was stopped", flush=True)
    begun = time.monotonic()
    running = [start(text, args, env) for text in args.trainings]
    try:
        while any(process.poll() is None for _, process in running):
            time.sleep(15)
            print(f"--- {time.monotonic() - begun:.0f} s", flush=True)
            for name, _ in running:
                lines = (args.work / f"{name}.log").read_text(errors="replace").splitlines()
                print(f"{name}: {lines[-1][:260] if lines else ''}", flush=True)
    finally:
        for _, process in running:
            process.terminate()
        for name, process in running:
            process.wait()
            collect(name, args)
    return max(process.returncode for _, process in running)


def start(text: str, args: argparse.Namespace, env: dict[str, str]) -> tuple[str, subprocess.Popen[bytes]]:
    """One training, with its words in a log."""
    recipe, _, weights = text.partition(":")
    args.work.mkdir(parents=True, exist_ok=True)
    name = Path(recipe).stem
    command = [*ALLAPRIMA, "train", recipe, "--out", str(args.work / name), "--minutes", str(args.minutes)]
    command += [
        "--content",
        *args.content,
        "--style",
        *args.style,
        "--vgg",
        args.vgg,
        "--device",
        args.device,
    ]
    command += ["--start", weights] if weights else []
    command += [part for change in args.set for part in ("--set", change)]
    log = open(args.work / f"{name}.log", "wb")  # noqa: SIM115 - the child holds it
    return name, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env)


def collect(name: str, args: argparse.Namespace) -> None:
    """Weights, curves and log of one training to ``--out``."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with open(args.out / "logs.txt", "a") as logs:
        logs.write(f"===== {name}\n{(args.work / f'{name}.log').read_text(errors='replace')}\n")
        curves = args.work / name / "curves.csv"
        if curves.exists():
            logs.write(curves.read_text())
    weights = args.work / name / "weights.safetensors"
    if not weights.exists():
        return
    if weights.stat().st_size <= args.halve:
        shutil.copy(weights, args.out / f"{name}.safetensors")
        return
    with safe_open(weights, "pt") as handle:
        state = {key: handle.get_tensor(key).half() for key in handle.keys()}  # noqa: SIM118
        save_file(state, args.out / f"{name}.safetensors", metadata=handle.metadata())


if __name__ == "__main__":
    sys.exit(main())
