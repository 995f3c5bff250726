"""``allaprima evaluate`` from end to end, with an untrained teacher: table, CSV, sheet and card."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import core.weights as store
from core.evaluate import hatching
from core.evaluate.pairs import Paint, all_pairs, held_out_pairs, measure, measure_side_by_side, own_pairs
from core.nn.vgg import VGG
from core.samples import samples
from core.styles import styles
from core.train.data import PictureSet
from worker.cli import main


def test_pairs_are_the_last_and_unscaled(pictures: tuple[Path, Path]) -> None:
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    pairs = held_out_pairs(photos, styles, 3, 48)
    assert [p.name for p in pairs] == ["5.png + 3.png", "6.png + 4.png", "7.png + 5.png"]
    assert pairs[0].photo.shape == (1, 3, 48, 48)
    assert held_out_pairs(photos, styles, 3, 500)[0].photo.shape == (1, 3, 56, 56)
    assert len(all_pairs(photos, styles)) == 48


def test_own_pairs_show_every_style_of_the_gallery_with_two_photographs() -> None:
    pairs = own_pairs(32)
    assert len(pairs) == 2 * len(styles()) == len({p.name for p in pairs})
    assert {p.name.split(" + ")[0] for p in pairs} == {s.stem for s in samples()}
    assert all(max(p.photo.shape) == 40 and max(p.style.shape) == 32 for p in pairs)


def test_the_teacher_sees_a_photo_and_a_style_once_however_many_share_it(
    pictures: tuple[Path, Path], teacher: VGG, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    crossed = all_pairs(photos, styles, 48)
    chosen = [crossed[i] for i in (0, 1, len(styles), len(styles) + 1)]
    paints: dict[str, Paint] = {
        "half": lambda photo, style: photo / 2,
        "dark": lambda photo, style: photo * style.mean(),
    }
    alone = {name: [measure(paint, [pair], teacher)[0] for pair in chosen] for name, paint in paints.items()}
    asked, done = [], []
    forward = teacher.forward

    def count(x: torch.Tensor, *layers: object) -> object:
        asked.append(x)
        return forward(x, *layers)

    monkeypatch.setattr(teacher, "forward", count)
    found = measure_side_by_side(paints, chosen, teacher, done=lambda: done.append(1))
    assert len(asked) == 2 + 2 + 8
    assert len(done) == 8
    for name in paints:
        for one, same in zip(found[name], alone[name], strict=True):
            assert replace(one, seconds=0) == replace(same, seconds=0)


def evaluation(pictures: tuple[Path, Path], *methods: str) -> list[str]:
    return ["evaluate", *methods, "--content", str(pictures[0]), "--style", str(pictures[1])]


def test_evaluate_writes_table_csv_sheet_and_card(
    pictures: tuple[Path, Path],
    teacher: VGG,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    vgg, models = tmp_path / "vgg.safetensors", tmp_path / "weights"
    teacher.save(vgg)
    shutil.copytree(store.FOLDER, models)
    for name in ("adain.md", "methods.webp"):
        (models / name).unlink(missing_ok=True)
    monkeypatch.setattr(store, "FOLDER", models)
    monkeypatch.setattr("core.evaluate.card.FOLDER", models)
    # Few of the program's own pictures, and hatching with two styles and one photograph: enough to see its line.
    few = own_pairs(64)[:3]
    monkeypatch.setattr("core.evaluate.pairs.own_pairs", lambda side: few)
    monkeypatch.setattr("core.evaluate.hatching.STYLES", hatching.STYLES[:2])
    monkeypatch.setattr("core.evaluate.hatching.samples", lambda: samples()[:1])
    store.manifest.cache_clear()
    try:
        command = [*evaluation(pictures, "adain", "factorized"), "--card"]
        command += ["--vgg", str(vgg), "--count", "2", "--side", "64", "--device", "cpu"]
        assert main([*command, "--out", str(tmp_path / "out")]) == 0
    finally:
        monkeypatch.undo()
        store.manifest.cache_clear()
    printed = capsys.readouterr().out
    assert "| adain |" in printed
    assert "PSNR at alpha 0 inf dB" in printed
    assert "factorized: in 4 calm places × 2 styles" in printed
    with open(tmp_path / "out" / "pairs.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["model"] for row in rows] == ["adain", "adain", "factorized", "factorized"]
    assert all(float(row["ls"]) > 0 and 0 < float(row["ssim"]) < 1 for row in rows)
    assert (tmp_path / "out" / "sheet.png").is_file()
    assert (tmp_path / "out" / "table.md").is_file()
    card = (models / "adain.md").read_text(encoding="utf-8")
    assert store.weights("adain").sha256 in card
    assert "## Licence" in card
    assert (models / "adain.webp").is_file()
    assert "(methods.webp)" in card
    with Image.open(models / "methods.webp") as shown, Image.open(tmp_path / "out" / "gallery.png") as same:
        assert shown.size == same.size
        assert shown.width > shown.height * 0.9  # four rows of photo, style and two methods


def test_too_small_pictures_to_measure_are_refused(
    pictures: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*evaluation(pictures, "adain"), "--vgg", "none"]
    assert main([*command, "--side", "8"]) == 2
    assert "at least 64 pixels" in capsys.readouterr().err
