"""``allaprima doctor``: what is installed and reachable; each point is ok or a sentence on what to do."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError
from worker.cli.parser import Subcommands
from worker.cli.show import table

if TYPE_CHECKING:
    from worker.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One point: ``mark`` is "ok", "note" (works, but worth knowing) or "FIX"; ``text`` says what was found,
    or what to do."""

    name: str
    mark: str
    text: str


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "doctor",
        description="Check what is installed and reachable. Exit code 0 when what is needed works, else 2.",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="also ask Telegram whether it knows the token (otherwise nothing is sent)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every finding; 2 when something has to be done."""
    from worker.settings import get_settings

    settings = get_settings()
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("python", python),
        ("torch", torch_build),
        ("device", device),
        ("threads", threads),
        ("bfloat16", bfloat16),
        ("formats", formats),
        ("models", models),
        ("gallery", gallery),
        ("data", data_folder),
        ("database", database),
        ("queue", queue),
        ("token", token_online if args.online else token),
    ]
    findings = []
    for name, check in checks:
        try:
            finding = check(settings)
        except AllaPrimaError as error:
            finding = Finding(name, "FIX", str(error))
        except Exception as error:
            finding = Finding(name, "FIX", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        findings.append(finding)
        print(table([(finding.name.ljust(9), finding.mark.ljust(4), finding.text)]), flush=True)
    broken = [finding.name for finding in findings if finding.mark == "FIX"]
    print(f"\nTo be fixed: {', '.join(broken)}." if broken else "\nEverything needed is there.")
    return 2 if broken else 0


def python(settings: Settings) -> Finding:
    """The interpreter and the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {cores} cores"
    return Finding("python", "ok", text)


def torch_build(settings: Settings) -> Finding:
    """Whether torch loads, and which build it is."""
    try:
        import torch
    except ImportError as error:
        return Finding(
            "torch", "FIX", f"not usable ({error}); install it: pip install torch, or run 'make setup'."
        )
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Finding("torch", "ok", f"{torch.__version__} ({build})")


def device(settings: Settings) -> Finding:
    """Where pictures are painted."""
    import torch

    wanted = settings.device
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        return Finding("device", "ok", f"{wanted}; found {names}")
    if wanted.startswith("cuda"):
        return Finding(
            "device",
            "FIX",
            f"ALLAPRIMA_DEVICE={wanted}, but torch finds no CUDA GPU; set it to auto or cpu, "
            "or install the CUDA build of torch and the driver.",
        )
    return Finding("device", "ok", f"{wanted}: the CPU (no CUDA GPU found)")


def threads(settings: Settings) -> Finding:
    """How many processor threads one painting uses."""
    from core.device import use_threads

    used, cores = use_threads(settings.threads, processes=settings.paint_concurrency), os.cpu_count() or 1
    if used > cores:
        return Finding(
            "threads", "FIX", f"{used} threads on {cores} cores slow each other; set ALLAPRIMA_THREADS=0."
        )
    return Finding("threads", "ok", f"{used} of {cores} cores")


def bfloat16(settings: Settings) -> Finding:
    """Whether the processor or GPU computes in bfloat16."""
    import torch

    if torch.cuda.is_available():
        good = torch.cuda.is_bf16_supported()
        return Finding(
            "bfloat16",
            "ok" if good else "note",
            "in the GPU" if good else "not in this GPU: float16 or float32",
        )
    found = cpu_flags() & {"avx512_bf16", "amx_bf16"}
    if found:
        return Finding("bfloat16", "ok", f"in the processor ({', '.join(sorted(found))})")
    return Finding(
        "bfloat16", "note", "not in this processor: painting runs in float32, correctly but slower"
    )


def cpu_flags() -> set[str]:
    """The processor's feature flags, as Linux names them; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


def formats(settings: Settings) -> Finding:
    """Which kinds of pictures can be read."""
    from core.images import FORMATS

    missing = {"HEIF", "AVIF", "WEBP"} - set(FORMATS)
    if missing:
        return Finding(
            "formats",
            "FIX",
            f"{', '.join(sorted(missing))} cannot be read; pip install --upgrade pillow pillow-heif.",
        )
    return Finding("formats", "ok", ", ".join(FORMATS))


def models(settings: Settings) -> Finding:
    """Whether every method's weights load, and whether those that paint in one go do paint."""
    from PIL import Image

    from core import registry
    from core.images import read_picture
    from core.params import PaintParams
    from core.styles import style_path
    from worker.cli.stylize import load_method
    from worker.plugins import load_extra_methods

    load_extra_methods(settings)
    good, bad = [], []
    photo = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    for spec in registry.methods():
        try:
            if not spec.available:
                good.append(f"{spec.name} only with: pip install 'alla-prima[{spec.capabilities.extra}]'")
                continue
            method = load_method(spec.name, settings.device)
            style = None if spec.capabilities.iterative else spec.first_style
            if style is not None:
                method.stylize(photo, read_picture(style_path(style)), PaintParams(method=spec.name))
            good.append(f"{spec.name} {method.model_hash[:8]}")
        except AllaPrimaError as error:
            bad.append(f"{spec.name}: {error}")
    if bad:
        return Finding("models", "FIX", " ".join(bad))
    return Finding("models", "ok", ", ".join(good))


def gallery(settings: Settings) -> Finding:
    """Whether the pictures of the gallery are all there."""
    from core.images import read_picture
    from core.styles import styles

    for style in styles():
        read_picture(style.file)
    return Finding("gallery", "ok", f"{len(styles())} styles")


def data_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written."""
    from worker.private import private_folder

    folder = settings.data_dir
    try:
        private_folder(folder)
    except OSError as error:
        return Finding("data", "FIX", f"{folder} cannot be made ({error.strerror}); set ALLAPRIMA_DATA_DIR.")
    if not os.access(folder, os.W_OK):
        return Finding(
            "data", "FIX", f"{folder} cannot be written; set ALLAPRIMA_DATA_DIR to a folder of yours."
        )
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize / 1e9
    if free < 1:
        return Finding(
            "data", "FIX", f"{folder} has only {free:.1f} GB free; make room or set ALLAPRIMA_DATA_DIR."
        )
    return Finding("data", "ok", f"{folder}, {free:.0f} GB free")


def database(settings: Settings) -> Finding:
    """Whether the database opens."""
    from sqlalchemy import text

    from worker.settings import mask_url
    from worker.store.database import Database

    shown = mask_url(settings.database)
    opened = None
    try:
        opened = Database(settings.database)
        opened.upgrade()
        with opened.read() as session:
            session.execute(text("SELECT 1"))
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        return Finding(
            "database", "FIX", f"{shown} does not open ({reason}); start it or correct DATABASE_URL."
        )
    finally:
        if opened is not None:
            opened.close()
    return Finding("database", "ok", shown)


def queue(settings: Settings) -> Finding:
    """Whether a queue server answers, or could be started."""
    from worker.broker import Broker, QueueError
    from worker.settings import mask_url

    broker = Broker(settings)
    try:
        broker.ping()
        return Finding("queue", "ok", f"{mask_url(settings.redis)} answers")
    except QueueError:
        if settings.redis_url:
            return Finding(
                "queue",
                "FIX",
                f"{mask_url(settings.redis)} does not answer; start that server or correct REDIS_URL.",
            )
    finally:
        broker.close()
    from worker.embedded import server_program

    program = server_program(settings)
    return Finding("queue", "ok", f"not running; 'allaprima up' starts {program}")


def token(settings: Settings) -> Finding:
    """Whether a token is set and looks like one; it is not sent anywhere."""
    if settings.telegram_token is None:
        return Finding(
            "token", "note", "none set, so no bot; get one from @BotFather and set TELEGRAM_TOKEN."
        )
    number, _, secret = settings.telegram_token.get_secret_value().partition(":")
    if not number.isdigit() or len(secret) < 30:
        return Finding(
            "token", "FIX", "TELEGRAM_TOKEN does not look like 123456:ABC…; copy it again from @BotFather."
        )
    return Finding("token", "ok", f"set, for the bot with id {number}")


def token_online(settings: Settings) -> Finding:
    """Whether Telegram knows the token."""
    finding = token(settings)
    if finding.mark != "ok" or settings.telegram_token is None:
        return finding
    import json
    import urllib.error
    import urllib.request

    base = (settings.telegram_api_url or "https://api.telegram.org").rstrip("/")
    url = f"{base}/bot{settings.telegram_token.get_secret_value()}/getMe"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return Finding("token", "ok", f"@{json.load(answer)['result']['username']}")
    except urllib.error.HTTPError as error:
        advice = "copy it again from @BotFather" if error.code in (401, 404) else "try again later"
        return Finding("token", "FIX", f"Telegram answers {error.code}; {advice}.")
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        # The error's text would contain the token.
        return Finding(
            "token", "FIX", "Telegram cannot be reached; check the network or ALLAPRIMA_TELEGRAM_API_URL."
        )
