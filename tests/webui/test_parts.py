"""The parts of the page that need no server: ids, links, HTML."""

from __future__ import annotations

import hashlib
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.params import GRID_STRENGTHS, PaintParams
from webui import views
from webui.hanging import history
from webui.pad import pad, parse_field, place
from webui.people import Visitors, is_visitor, owner_of
from webui.pictures import Links, download_name
from webui.tabs.common import picked
from worker.client import Client
from worker.jobs import JobState, JobView
from worker.plugins import load_extra_methods
from worker.settings import Settings
from worker.survey.service import Surveys

ROOT = Path(__file__).resolve().parents[2]
EVIL = '<img src=x onerror="alert(1)">'


def job(**values: object) -> JobView:
    """A job of some browser."""
    known: dict[str, object] = {
        "id": "abcdef012345",
        "owner": "web:x",
        "source": "web",
        "state": JobState.DONE,
        "params": PaintParams(),
        "photo_key": "0" * 64,
        "style": "gallery:woodcut",
        "style_label": "Woodcut",
        "created_at": datetime.now(UTC),
    }
    return JobView.model_validate(known | values)


@dataclass
class Tile:
    name: str
    title: str
    summary: str


@pytest.mark.parametrize(
    "modules", ["webui", "webui.app, webui.server", "webui.tabs, webui.views, webui.health"]
)
def test_importing_the_page_is_cheap(modules: str) -> None:
    code = (
        f"import sys, {modules}; heavy = {{'torch', 'celery', 'torchvision', 'gradio'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_visitor_ids_have_a_form_and_cannot_be_guessed(tmp_path: Path) -> None:
    with Client(Settings(_env_file=None, data_dir=tmp_path, database_url=None)) as client:
        visitors = Visitors(Links.in_folder(tmp_path), client, Surveys(client))
    ids = {visitors.new() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_visitor(one) and visitors.known(one) == one for one in ids)
    for forged in ("", "x", None, 7, "a" * 31, "a" * 33, "a" * 31 + "\n", "tg:1" + "a" * 28, "a" * 31 + "é"):
        assert not is_visitor(forged)
        assert is_visitor(visitors.known(forged))
    assert owner_of("a" * 32) == "web:" + hashlib.sha256(b"visitor:" + b"a" * 32).hexdigest()[:32]
    with pytest.raises(ValueError, match="visitor"):
        owner_of("tg:1")


def test_links_are_bound_to_their_job_and_outlive_a_restart(tmp_path: Path) -> None:
    links = Links.in_folder(tmp_path)
    _, _, name, signature, file = links.address("abc", "thumb.jpg").split("/")
    assert (name, file) == ("abc", "thumb.jpg")
    assert links.allows("abc", signature)
    assert not links.allows("abd", signature)
    assert not links.allows("abc", "")
    assert not links.allows("abc", "é" * 40)
    assert Links.in_folder(tmp_path).allows("abc", signature)
    assert not Links.in_folder(tmp_path / "other").allows("abc", signature)
    assert stat.S_IMODE((tmp_path / "web.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["web.key"]
    with pytest.raises(ValueError, match="no such picture"):
        links.address("abc", "../secret")


def test_texts_from_outside_are_escaped() -> None:
    links = Links(b"key")
    done = job(style_label=EVIL, width=30, height=20)
    style = Tile(EVIL, EVIL, EVIL)
    pages = [
        views.tiles([style]),  # type: ignore[list-item]
        views.choice(EVIL),
        views.choice(EVIL, "another"),
        views.choice("another", EVIL),
        views.taken_in(1, EVIL),
        views.failure(EVIL),
        views.note(EVIL),
        views.status(done),
        views.status(job(state=JobState.FAILED, error=EVIL)),
        views.painting(done, links),
        views.waiting_easel(done, links),
        views.download(done, links),
        history([done], links),
    ]
    for page in pages:
        assert "<img src=x" not in page
        assert re.search("onerror=&(quot|#34);", page) or "onerror=" not in page
    assert download_name(job(style_label='Ink/"../é')) == "alla-prima-ink-abcdef01.png"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"width": 2048, "height": 1365, "photo_side": 6000}, "at most 2048 are painted here"),
        (
            {"width": 512, "height": 341, "photo_side": 6000, "params": PaintParams(size=512)},
            "you chose 512 pixels",
        ),
        ({"width": 1024, "height": 683, "photo_side": 6000}, "the memory here did not suffice for more"),
        ({"width": 800, "height": 600, "photo_side": 800}, ""),
        ({"width": 1600, "height": 1200, "photo_side": 800, "params": PaintParams(size=1600)}, ""),
        ({"width": 800, "height": 600}, ""),
        ({}, ""),
    ],
)
def test_a_painting_smaller_than_its_photo_says_why(values: dict[str, object], reason: str) -> None:
    said = views.smaller(job(**values), 2048)
    assert bool(said) is bool(reason)
    if reason:
        assert said == f"Smaller than the photo, whose longer side has 6000 pixels: {reason}."
        assert reason in views.download(job(**values), Links(b"key"), 2048)


def test_full_size_files_have_names_of_their_formats() -> None:
    links, done = Links(b"key"), job(width=30, height=20)
    html = views.download(done, links)
    for file, ending in (("painting.png", "png"), ("full.jpg", "jpg"), ("full.webp", "webp")):
        assert links.address(done.id, file) in html
        assert download_name(done, file) == f"alla-prima-woodcut-abcdef01.{ending}"
        assert download_name(done, file) in html


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"state": JobState.QUEUED, "position": 1}, "Next in line"),
        (
            {"state": JobState.QUEUED, "position": 4, "eta_seconds": 12.4},
            "Number 4 in line, about 12 s to go",
        ),
        ({"state": JobState.WAITING}, "Waiting for a free painter"),
        ({"state": JobState.RUNNING, "progress": 0.42}, 'aria-valuenow="42"'),
        ({"state": JobState.DONE, "paint_ms": 812}, "Painted in 0.8 s · Woodcut · strength 1"),
        ({"state": JobState.DONE, "paint_ms": 3}, "Ready at once"),
        ({"state": JobState.CANCELLED}, "Cancelled."),
        ({"state": JobState.DEAD, "error": "It failed three times."}, "It failed three times."),
    ],
)
def test_the_status_line_says_where_a_job_stands(values: dict[str, object], expected: str) -> None:
    assert expected in views.status(job(**values))


def test_the_status_line_speaks_of_both_strengths() -> None:
    load_extra_methods(Settings(_env_file=None, extra_methods=["tests.worker.band_method"]))
    params = PaintParams(method="bands", alpha_high=0.35, alpha_low=1.2)
    assert "strokes 0.35, colours 1.2" in views.status(job(params=params))
    assert "strength 1" in views.status(job(params=PaintParams(method="taken-from-the-list")))


def test_the_pad_shows_where_the_sliders_stand() -> None:
    links = Links(b"key")
    for high, low, ticked in ((1.0, 0.35, 1), (0.5, 0.5, 0), (0.0, 1.5, 1)):
        page = pad(high, low)
        assert page.count('class="field"') == len(GRID_STRENGTHS) ** 2
        assert page.count('aria-checked="true"') == ticked
        assert page.count('tabindex="0"') == 1
        assert f"left:{100 * place(high):.2f}%;bottom:{100 * place(low):.2f}%" in page
        assert "pictures/job" not in page
    grid = job(params=PaintParams(method="bands", grid=True), width=500, height=250)
    page = pad(1.0, 1.0, grid, links)
    assert links.address(grid.id, "painting.jpg") in page
    assert "--ratio:2.0000" in page
    assert [place(strength) for strength in GRID_STRENGTHS] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert 0.5 < place(0.8) < 0.7
    assert parse_field("0.35,1.5") == (0.35, 1.5)
    for forged in ("", "1", "1,1,1", "2,0", "1;DROP", "a,b", "0.5,0.5"):
        assert parse_field(forged) is None


@pytest.mark.parametrize(
    ("before", "band", "after"),
    [
        (("", ""), "low", ("x", "x")),
        (("", ""), "high", ("x", "x")),
        (("a", "a"), "high", ("x", "a")),
        (("a", "b"), "low", ("a", "x")),
        (("a", "b"), "both", ("x", "x")),
    ],
)
def test_a_picked_style_is_for_what_was_said(
    before: tuple[str, str], band: str, after: tuple[str, str]
) -> None:
    assert picked(*before, "x", band) == after


def test_tiles_tick_the_chosen_style_and_can_be_reached_with_one_tab() -> None:
    styles = [Tile("a", "A", ""), Tile("b", "B", "")]
    for chosen, ticked, entry in (("b", 1, "b"), ("", 0, "a"), ("gone", 0, "a")):
        page = views.tiles(styles, chosen)  # type: ignore[arg-type]
        assert page.count('aria-checked="true"') == ticked
        assert page.count('tabindex="0"') == 1
        assert f'tabindex="0" data-name="{entry}"' in page
    assert "empty" in views.tiles([])
