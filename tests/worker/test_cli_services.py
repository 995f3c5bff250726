"""The commands that need the service: each runs over the real queue server with a real worker process."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import tests.worker.cli_methods  # noqa: F401 - registered for the whole process, not only below a patch
from core import registry
from core.images import read_picture
from core.styles import style_path
from tests.worker.cli_tint import tinted
from tests.worker.test_cli import STYLE, TINT, make_photo, one_sentence
from worker.cli import main
from worker.local import services
from worker.settings import get_settings, reset_settings

METHOD = ("--method", "tint")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("service")
    values = {
        "ALLAPRIMA_EXTRA_METHODS": "tests.worker.cli_methods",
        "ALLAPRIMA_PRELOAD": "tint",
        "ALLAPRIMA_DATA_DIR": str(folder / "var"),
        "ALLAPRIMA_MAINTENANCE_SECONDS": "0.3",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TELEGRAM_TOKEN", "REDIS_URL", "DATABASE_URL"):
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        # Methods that other tests registered in this process slow down, fail and kill on purpose; doctor and demo
        # would try them all.
        ours = ("core.", "tests.worker.cli_")
        kept = {n: spec for n, spec in registry._METHODS.items() if spec.factory.startswith(ours)}
        patch.setattr(registry, "_METHODS", kept)
        reset_settings()
        yield values
    reset_settings()


@pytest.fixture(scope="module")
def running(environment: dict[str, str]) -> Iterator[None]:
    settings = get_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with services(settings, log_file=settings.data_dir / "worker.log"):
        yield


def descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def wait_until(condition: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


# -- submit --------------------------------------------------------------------------------------------------


def test_submit_without_a_service_says_how_to_start_one(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = make_photo(tmp_path / "photo.png")
    assert main(["submit", str(photo), STYLE, "-o", str(tmp_path / "out.png"), *METHOD]) == 2
    assert "allaprima up" in one_sentence(capsys.readouterr().err)


@pytest.mark.usefixtures("running")
def test_submit_paints_what_stylize_paints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = make_photo(tmp_path / "photo.png"), tmp_path / "out.png"
    assert main(["submit", str(photo), STYLE, "-o", str(out), "--alpha", "0.5", *METHOD]) == 0
    expected = tinted(TINT, read_picture(photo), read_picture(style_path(STYLE)), 0.5)
    assert np.abs(np.asarray(Image.open(out), int) - expected.astype(int)).max() <= 1
    assert re.search(r"waited \d+ ms, painted \d+ ms, in all \d+ ms", capsys.readouterr().out)


@pytest.mark.usefixtures("running")
def test_submit_mixes_what_stylize_mixes(tmp_path: Path) -> None:
    photo, own = make_photo(tmp_path / "photo.png"), make_photo(tmp_path / "own.png", 5)
    mix = ("--mix", f"{own}=0.5", "--mix", "woodcut=0.25", "--size", "64")
    painted = []
    for command in ("submit", "stylize"):
        out = tmp_path / f"{command}.png"
        assert main([command, str(photo), STYLE, "-o", str(out), *mix]) == 0
        painted.append(np.asarray(Image.open(out), int))
    assert np.abs(painted[0] - painted[1]).max() <= 1
    assert main(["submit", str(photo), STYLE, "-o", str(tmp_path / "one.png"), "--size", "64"]) == 0
    assert np.abs(np.asarray(Image.open(tmp_path / "one.png"), int) - painted[0]).mean() > 1


@pytest.mark.usefixtures("running")
def test_submit_paints_regions_as_stylize_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, mask = make_photo(tmp_path / "photo.png"), tmp_path / "left.png"
    left = Image.new("L", (40, 30))
    left.paste(255, (0, 0, 20, 30))
    left.save(mask)
    regions = ("--mix", "woodcut=1", "--mask", f"woodcut={mask}", "--size", "64")
    painted = []
    for command in ("submit", "stylize"):
        out = tmp_path / f"{command}.png"
        assert main([command, str(photo), STYLE, "-o", str(out), *regions]) == 0
        painted.append(np.asarray(Image.open(out), int))
    assert np.abs(painted[0] - painted[1]).max() <= 1
    capsys.readouterr()
    Image.new("L", (40, 30)).save(mask)
    assert main(["submit", str(photo), STYLE, "-o", str(tmp_path / "out.png"), *regions]) == 2
    assert "dark all over; white is where" in one_sentence(capsys.readouterr().err)


@pytest.mark.usefixtures("running")
def test_submit_a_folder_with_a_bad_photo_and_a_style_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        make_photo(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    style = make_photo(tmp_path / "style.png", 9)
    out = tmp_path / "out"
    assert main(["submit", str(tmp_path / "in"), str(style), "-o", str(out), *METHOD]) == 2
    assert sorted(path.name for path in out.iterdir()) == [f"{number}.png" for number in range(4)]
    assert "bad.jpg" in one_sentence(capsys.readouterr().err)
    for number in range(4):
        assert Image.open(out / f"{number}.png").size == (80, 60)


@pytest.mark.usefixtures("running")
def test_ctrl_c_cancels_what_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from worker.client import Client

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("worker.cli.submit._follow", interrupted)
    photos = [str(make_photo(tmp_path / f"{number}.png", 50 + number)) for number in range(6)]
    with Image.open(photos[0]) as first:
        first.putpixel((0, 0), (0, 255, 255))
        first.save(photos[0])
    assert main(["submit", *photos, STYLE, "-o", str(tmp_path / "out"), *METHOD]) == 130
    one_sentence(capsys.readouterr().err)
    with Client() as client:
        wait_until(lambda: not client.jobs("cli:local", limit=6, unfinished_only=True))
        jobs = client.jobs("cli:local", limit=6)
    assert str(min(jobs, key=lambda job: job.created_at).state) == "cancelled", jobs


# -- doctor --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
def test_doctor_finds_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor"])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    expected = ["python", "torch", "device", "threads", "formats", "gallery", "data", "database", "queue"]
    for name in [*expected, "models"]:
        assert f"{name:<9}  ok" in lines[name], lines[name]
    # Those that paint in a few styles only are tried with one of these.
    assert all(
        spec.name in lines["models"] for spec in registry.methods() if spec.factory.startswith("core.")
    )
    assert "answers" in lines["queue"]
    assert "note" in lines["token"]
    assert code == 0


def test_doctor_says_what_to_do(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "987654321:AAsecretsecretsecretsecretsecretsecr"
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////dev/null/all.db")
    monkeypatch.setenv("TELEGRAM_TOKEN", secret)
    monkeypatch.setenv("ALLAPRIMA_DEVICE", "cuda:9")
    reset_settings()
    try:
        code = main(["doctor"])
    finally:
        monkeypatch.undo()
        reset_settings()
    printed = capsys.readouterr().out
    lines = {line.split()[0]: line for line in printed.splitlines() if line}
    assert code == 2
    assert "REDIS_URL" in lines["queue"]
    assert "DATABASE_URL" in lines["database"]
    assert "FIX" in lines["device"]
    assert "987654321" in lines["token"]
    assert "hidden" not in printed
    assert secret not in printed


# -- demo and up, as people run them -------------------------------------------------------------------------


def command(*arguments: str, data_dir: Path, cwd: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    values = {"ALLAPRIMA_DATA_DIR": str(data_dir), "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "worker.cli", *arguments],
        env={**os.environ, **values},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_demo_paints_with_every_method_and_leaves_nothing_running(
    environment: dict[str, str], tmp_path: Path
) -> None:
    photo = make_photo(tmp_path / "photo.png")
    arguments = ["demo", "--no-serve", "--size", "96", "--styles", STYLE, "--photos", str(photo)]
    process = command(*arguments, data_dir=tmp_path / "var", cwd=tmp_path)
    seen: set[int] = set()
    while process.poll() is None:
        seen |= {child.pid for child in descendants(process.pid)}
        time.sleep(0.1)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert re.search(r"^tint .*waited \d+ ms, painted \d+ ms, in all \d+ ms$", out, re.MULTILINE)
    assert re.search(r"^adain .*waited \d+ ms", out, re.MULTILINE)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "demo.png",
        *(f"photo-{STYLE}-{spec.name}.png" for spec in registry.quick_methods() if spec.paints_in([STYLE])),
    }
    assert Image.open(tmp_path / "out" / f"photo-{STYLE}-adain.png").size == (96, 72)
    assert len(seen) >= 2, "a queue server and a worker ran"
    assert not [pid for pid in seen if psutil.pid_exists(pid)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_the_page_until_it_is_stopped(
    number: signal.Signals, environment: dict[str, str], tmp_path: Path
) -> None:
    process = command("up", "--port", "7961", data_dir=tmp_path / "var", cwd=tmp_path)
    try:
        assert process.stdout is not None
        said = ""
        while "Alla Prima is at" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        address = re.findall(r"http://\S+", said)[-1]
        wait_until(lambda: answers(f"{address}/healthz"))
        with urllib.request.urlopen(address, timeout=20) as page:
            assert page.status == 200
        children = descendants(process.pid)
        assert len(children) >= 2
        process.send_signal(number)
        assert process.wait(30) in (0, 130)
        assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    finally:
        process.kill()
        _, err = process.communicate()
    assert "Traceback" not in err


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


# -- bench ---------------------------------------------------------------------------------------------------


def test_bench_measures_and_writes_csv(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.csv"
    arguments = ["--parts", "speed,queue", "--sizes", "64", "--repeats", "1", "--jobs", "2", *METHOD]
    assert main(["bench", *arguments, "-o", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = {(row["part"], row["what"]): row for row in csv.DictReader(file)}
    assert {what for part, what in rows if part == "speed"} == {
        "encode style",
        "encode photo",
        "decode",
        "whole, style cached",
        "whole",
    }
    whole = rows["speed", "whole"]
    assert float(whole["median"]) > 0
    assert float(whole["ratio"]) == pytest.approx(float(whole["baseline"]) / float(whole["median"]), rel=0.05)
    assert whole["cpu"]
    assert whole["torch"]
    in_all, overhead = (float(rows["queue", what]["median"]) for what in ("job, in all", "job less painting"))
    assert 0 < overhead <= in_all
