"""The named endpoints, called by ``gradio_client``, and the plain routes beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from core.learn.style import LearnedStyle
from core.styles import styles as gallery
from tests.webui.page_process import ROOT, Page, get
from webui.pictures import Links
from worker.settings import Settings

MIX = {"method": "mix", "alpha": 1.0}
PARAMETERS: dict[str, list[str]] = {
    "stylize": [
        "photo",
        "style",
        "style_file",
        "alpha",
        "keep_colors",
        "method",
        "size",
        "seed",
        "visitor",
        "alpha_high",
        "alpha_low",
        "style_low",
        "style_low_file",
        "mix",
        "grid",
        "own",
        "mask",
        "mask_second",
        "style_mask",
        "style_mask_second",
    ],
    "repaint": [
        "job_id",
        "visitor",
        "alpha",
        "keep_colors",
        "method",
        "size",
        "alpha_high",
        "alpha_low",
        "own",
    ],
    "compare": ["photo", "style", "style_file", "methods", "size", "visitor"],
    "job": ["job_id", "visitor"],
    "jobs": ["visitor", "limit"],
    "delete_my_data": ["visitor"],
    "learn": ["style", "style_file", "photo", "name", "seconds", "visitor"],
    "own_styles": ["visitor"],
    "rename_style": ["style_id", "name", "visitor"],
    "own_style": ["style_id", "visitor"],
    "delete_style": ["style_id", "visitor"],
}
PARAMETERS |= {"submit": PARAMETERS["stylize"]} | dict.fromkeys(
    ("result", "cancel", "enough"), PARAMETERS["job"]
)


@pytest.fixture(scope="module")
def api(running_page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(running_page.url, verbose=False, download_files=str(tmp_path_factory.mktemp("fetched")))
    yield client
    client.close()


def call(api: Client, endpoint: str, **values: Any) -> Any:
    """One endpoint, with every value it was not given left empty."""
    wanted = PARAMETERS.get(endpoint, [])
    assert set(values) <= set(wanted)
    numbers = {"alpha", "alpha_high", "alpha_low", "size", "seed", "limit", "grid", "seconds"}
    files = {
        "photo",
        "style_file",
        "style_low_file",
        "mask",
        "mask_second",
        "style_mask",
        "style_mask_second",
    }
    empty = {name: None if name in numbers | files else "" for name in wanted}
    given = {name: handle_file(str(value)) if name in files else value for name, value in values.items()}
    return api.predict(*(empty | given).values(), api_name=f"/{endpoint}")


def refusal(api: Client, endpoint: str, **values: Any) -> str:
    with pytest.raises(AppError) as caught:
        call(api, endpoint, **values)
    return str(caught.value)


def wait(api: Client, info: dict[str, Any], seconds: float = 30) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not info["finished"]:
        assert time.monotonic() < deadline, info
        time.sleep(0.05)
        info = call(api, "job", job_id=info["id"], visitor=info["visitor"])
    return info


def test_lists(api: Client) -> None:
    assert call(api, "styles") == [
        {"name": s.name, "title": s.title, "summary": s.summary} for s in gallery()
    ]
    methods = {method["name"]: method for method in call(api, "methods")}
    assert {"adain", "mix", "mix-slow"} <= set(methods)
    assert "alpha" in methods["adain"]["params"]


def test_only_the_named_endpoints_are_offered(api: Client) -> None:
    named = api.view_api(return_format="dict")["named_endpoints"]
    assert sorted(named) == [
        "/cancel",
        "/compare",
        "/delete_my_data",
        "/delete_style",
        "/enough",
        "/job",
        "/jobs",
        "/learn",
        "/methods",
        "/own_style",
        "/own_styles",
        "/rename_style",
        "/repaint",
        "/result",
        "/styles",
        "/stylize",
        "/submit",
    ]


def test_parameters_keep_their_names_and_order(api: Client) -> None:
    """Programs may give them by place as well as by name."""
    named = api.view_api(return_format="dict")["named_endpoints"]
    for endpoint in named:
        taken = [parameter["parameter_name"] for parameter in named[endpoint]["parameters"]]
        assert taken == PARAMETERS.get(endpoint.strip("/"), []), endpoint
        # None has to be given: programs go on working when one is added.
        assert all(parameter["parameter_has_default"] for parameter in named[endpoint]["parameters"])


def test_stylize_with_a_picture_of_ones_own(api: Client, photo: Path, style_picture: Path) -> None:
    file, info = call(api, "stylize", photo=photo, style_file=style_picture, **(MIX | {"alpha": 1.5}))
    painted = Image.open(file)
    assert painted.format == "PNG"
    assert painted.size == (240, 160) == (info["width"], info["height"])
    mean = np.asarray(Image.open(style_picture).convert("RGB"), float).mean((0, 1))
    assert (
        np.abs(np.asarray(painted, float) - mean).max() <= 1.0
    )  # at 1.5 this method paints the style's mean
    assert info["state"] == "done"
    assert len(info["visitor"]) == 32
    assert "owner" not in info
    assert Path(file).name.startswith("alla-prima-own-picture-")


def test_stylize_with_the_shipped_model(api: Client, photo: Path) -> None:
    file, info = call(api, "stylize", photo=photo, style=gallery()[0].name, size=128)
    painted = np.asarray(Image.open(file).convert("RGB"), float)
    assert max(painted.shape) == 128
    assert info["params"]["method"] == "gallery"
    with Image.open(photo) as original:
        plain = np.asarray(original.convert("RGB").resize(painted.shape[1::-1]), float)
    assert np.abs(painted - plain).mean() > 8
    # What no method has learned is painted by AdaIN; what is chosen stays, and "auto" is no choice.
    own = call(api, "submit", photo=photo, style_file=photo, size=128)
    assert own["params"]["method"] == "adain"
    named = {"photo": photo, "style": gallery()[0].name, "size": 128, "visitor": own["visitor"]}
    made = [call(api, "submit", **named, method=name) for name in ("adain", "auto")]
    assert [job["params"]["method"] for job in made] == ["adain", "gallery"]


def test_submit_follow_repaint_and_fetch(api: Client, photo: Path) -> None:
    first = call(api, "submit", photo=photo, style=gallery()[0].name, **MIX)
    done = wait(api, first)
    assert done["state"] == "done"
    visitor = first["visitor"]
    again = wait(api, call(api, "repaint", job_id=first["id"], visitor=visitor, alpha=0.0))
    assert again["id"] != first["id"]
    assert again["params"] == done["params"] | {"alpha": 0.0}
    same = Image.open(call(api, "result", job_id=again["id"], visitor=visitor))
    assert np.array_equal(np.asarray(same), np.asarray(Image.open(photo)))  # lossless at strength 0
    listed = call(api, "jobs", visitor=visitor, limit=10)
    assert [one["id"] for one in listed] == [again["id"], first["id"]]


def test_two_strengths_and_several_styles(api: Client, photo: Path, style_picture: Path) -> None:
    first, second, third = (style.name for style in gallery()[:3])
    bands = {"photo": photo, "style": first, "method": "bands"}
    file, zero = call(api, "stylize", **bands, alpha_high=0.0, alpha_low=0.0)
    assert np.array_equal(np.asarray(Image.open(file)), np.asarray(Image.open(photo)))
    visitor = zero["visitor"]
    same = call(api, "submit", **bands, visitor=visitor, alpha=0.0)  # one strength given counts for both
    assert same["params"] == zero["params"]
    two = call(api, "submit", **bands, visitor=visitor, alpha_low=1.5, style_low=second)
    assert two["styles"] == [f"gallery:{first}", f"gallery:{second}"]
    assert (two["params"]["alpha_low"], two["params"]["weights_low"]) == (1.5, [0.0, 1.0])
    again = call(api, "repaint", job_id=two["id"], visitor=visitor, alpha_high=0.25)
    assert again["params"] == two["params"] | {"alpha_high": 0.25}
    assert again["styles"] == two["styles"]
    own = call(api, "submit", **bands, visitor=visitor, style_low_file=style_picture)
    assert own["styles"][1].startswith("blob:")
    mix = call(api, "submit", **bands, visitor=visitor, mix=f"{second}=0.5, {third}=0/2")
    assert mix["styles"] == [f"gallery:{name}" for name in (first, second, third)]
    assert (mix["params"]["weights_high"], mix["params"]["weights_low"]) == ([1, 0.5, 0], [1, 0.5, 2])
    grid = call(api, "submit", **bands, visitor=visitor, grid=True, size=64)
    for job in (two, again, own, mix, grid):
        assert wait(api, job)["state"] == "done"
    sheet = Image.open(call(api, "result", job_id=grid["id"], visitor=visitor))
    assert sheet.size == (5 * 64, 5 * 43)

    assert "does not tell strokes from colours" in refusal(
        api, "submit", photo=photo, style=first, method="mix", style_low=second
    )
    assert "one strength only" in refusal(api, "submit", photo=photo, style=first, method="mix", grid=True)
    assert "one of style_low" in refusal(api, "submit", **bands, style_low=second, mix=f"{third}=1")
    assert "NAME=WEIGHT" in refusal(api, "submit", **bands, mix=second)


def half_and_dark(folder: Path) -> tuple[Path, Path]:
    """Masks: one whose left half is white, one that is dark all over."""
    mask, left, dark = Image.new("L", (90, 60)), folder / "left.png", folder / "dark.png"
    mask.save(dark)
    mask.paste(255, (0, 0, 45, 60))
    mask.save(left)
    return left, dark


def test_regions(api: Client, photo: Path, tmp_path: Path) -> None:
    first, second = (style.name for style in gallery()[:2])
    left, dark = half_and_dark(tmp_path)
    asked = {"photo": photo, "style": first, "method": "adain"}
    file, info = call(api, "stylize", **asked, mask=left)
    assert info["masks"] == [True]
    painted, original = (np.asarray(Image.open(one).convert("RGB"), int) for one in (file, photo))
    middle = painted.shape[1] // 2
    assert np.array_equal(painted[:, middle + 8 :], original[:, middle + 8 :])
    assert np.abs(painted[:, : middle - 8] - original[:, : middle - 8]).mean() > 5
    visitor = info["visitor"]
    again = call(api, "repaint", job_id=info["id"], visitor=visitor, alpha=0.5)
    assert again["masks"] == [True]
    mask = {"mask_second": left}
    two = call(api, "submit", **asked, visitor=visitor, mix=f"{second}=1", **mask)
    assert (two["masks"], two["styles"]) == ([False, True], [f"gallery:{first}", f"gallery:{second}"])
    assert [wait(api, job)["state"] for job in (again, two)] == ["done", "done"]
    assert call(api, "submit", photo=photo, style=first, **MIX)["masks"] == []
    methods = {method["name"]: method["masks"] for method in call(api, "methods")}
    assert (methods["adain"], methods["learned"], methods["mix"]) == (True, False, False)

    assert "dark all over; white is where" in refusal(api, "submit", **asked, mask=dark)
    assert "mask_second: there is no second style" in refusal(api, "submit", **asked, **mask)
    (tmp_path / "note.png").write_text("not a picture")
    assert "picture" in refusal(api, "submit", **asked, mask=tmp_path / "note.png").lower()
    unable = asked | {"method": "mix", "mask": left}
    assert "'mix' takes no masks" in refusal(api, "submit", **unable)


def test_which_part_of_a_style_counts(api: Client, photo: Path, tmp_path: Path) -> None:
    first, second = (style.name for style in gallery()[:2])
    left, dark = half_and_dark(tmp_path)
    grow = {"photo": photo, "style": first, "method": "grow", "own": '{"patience": 0.2}'}
    one, other = ({name: left} for name in ("style_mask", "style_mask_second"))
    _, info = call(api, "stylize", **grow, **one)
    assert (info["style_masks"], info["masks"]) == ([True], [])
    whose = {"visitor": info["visitor"]}
    again = call(api, "repaint", job_id=info["id"], own='{"patience": 0.3}', **whose)
    quick = call(api, "repaint", job_id=info["id"], method="mix", **whose)
    two = call(api, "submit", **grow, **whose, mix=f"{second}=1", **other)
    assert [job["style_masks"] for job in (again, quick, two)] == [[True], [], [False, True]]
    assert [wait(api, job)["state"] for job in (again, quick, two)] == ["done"] * 3
    methods = {method["name"]: method["style_masks"] for method in call(api, "methods")}
    assert (methods["gatys"], methods["adain"], methods["mix"]) == (True, False, False)

    said = "This mask is dark all over; white is what counts of its style."
    assert said in refusal(api, "submit", **grow, style_mask=dark)
    assert "style_mask_second: there is no second style" in refusal(api, "submit", **grow, **other)
    unable = {"photo": photo, "style": first, "method": "mix", **one}
    assert "'mix' takes no style masks" in refusal(api, "submit", **unable)


def test_compare_is_one_job_per_method(api: Client, photo: Path) -> None:
    jobs = call(api, "compare", photo=photo, style=gallery()[0].name, methods="mix, bands", size=64)
    assert [job["params"]["method"] for job in jobs] == ["mix", "bands"]
    for job in jobs:
        done = wait(api, job)
        assert (done["state"], done["width"]) == ("done", 64)
    assert len(call(api, "jobs", visitor=jobs[0]["visitor"])) == 2
    assert "method" in refusal(api, "compare", photo=photo, style=gallery()[0].name, methods="mixx")


def test_cancel_a_running_job(api: Client, photo: Path) -> None:
    info = call(api, "submit", photo=photo, style=gallery()[0].name, method="mix-slow")
    deadline = time.monotonic() + 20
    while (info := call(api, "job", job_id=info["id"], visitor=info["visitor"]))["state"] != "running":
        assert time.monotonic() < deadline
    call(api, "cancel", job_id=info["id"], visitor=info["visitor"])
    assert wait(api, info)["state"] == "cancelled"


def test_parameters_of_a_method_s_own_and_an_early_end(api: Client, photo: Path) -> None:
    order = {"photo": photo, "style": gallery()[0].name, "method": "grow"}
    info = call(api, "submit", **order, own='{"patience": 40, "ground": "half"}')
    whose = {"job_id": info["id"], "visitor": info["visitor"]}
    assert info["params"]["own"] == {"patience": 40, "ground": "half"}
    deadline = time.monotonic() + 30
    while call(api, "job", **whose)["progress"] <= 0.5:
        assert time.monotonic() < deadline
    call(api, "enough", **whose)
    ended = wait(api, info)
    assert (ended["state"], ended["paint_ms"] < 30_000) == ("done", True)
    again = call(api, "repaint", **whose, own='{"patience": 0.2}')
    assert again["params"]["own"] == {"patience": 0.2, "ground": "half"}
    for own, words in (
        ("[1]", "a JSON object"),
        ('{"terms": "gram"}', "does not take 'terms'"),
        ("{", "JSON"),
    ):
        assert words in refusal(api, "submit", **order, own=own)
    assert {one["name"] for one in call(api, "methods") if one["iterative"]} >= {"gatys", "grow"}


def test_a_style_is_learned_named_used_fetched_and_deleted(
    api: Client, photo: Path, style_picture: Path, tmp_path: Path
) -> None:
    job = call(api, "learn", style_file=style_picture, photo=photo, name="sea", seconds=5)
    visitor = job["visitor"]
    assert wait(api, job)["state"] == "done"
    [own] = call(api, "own_styles", visitor=visitor)
    assert (own["name"], own["style"]) == ("sea", f"own:{own['id']}")
    assert call(api, "rename_style", style_id=own["id"], name="my sea", visitor=visitor)["name"] == "my sea"
    _, painted = call(api, "stylize", photo=photo, style=own["style"], visitor=visitor, size=64)
    assert (painted["state"], painted["style_label"]) == ("done", "my sea")
    fetched = Path(call(api, "own_style", style_id=own["id"], visitor=visitor))
    assert fetched.name == "my-sea.style"
    assert LearnedStyle.parse(fetched.read_bytes()) is not None
    # Somebody else's are out of reach, by any way.
    for endpoint, values in (
        ("own_style", {"style_id": own["id"]}),
        ("delete_style", {"style_id": own["id"]}),
        ("rename_style", {"style_id": own["id"], "name": "x"}),
        ("stylize", {"photo": photo, "style": own["style"]}),
        ("learn", {"style": own["style"]}),
    ):
        assert "no such style" in refusal(api, endpoint, **values)
    assert call(api, "delete_style", style_id=own["id"], visitor=visitor) == []
    assert "no such style" in refusal(api, "own_style", style_id=own["id"], visitor=visitor)
    for values, words in (
        ({}, "Give either style, a gallery name, or style_file, a picture."),
        ({"style": "mosaic", "name": "x" * 41}, "1 to 40 letters"),
        ({"style": "mosaic", "seconds": 1}, "seconds: must lie between 5 and 1800"),
    ):
        assert words in refusal(api, "learn", **values)


def test_nobody_reaches_anothers_job(api: Client, photo: Path) -> None:
    info = call(api, "submit", photo=photo, style=gallery()[0].name, **MIX)
    other = "x" * 32
    for endpoint in ("job", "result", "cancel", "repaint"):
        assert "no such painting" in refusal(api, endpoint, job_id=info["id"], visitor=other)
    assert "visitor: 32" in refusal(api, "job", job_id=info["id"], visitor="tg:1")
    assert call(api, "jobs", visitor=other) == []
    assert wait(api, info)["state"] == "done"


def test_refusals_are_one_sentence(api: Client, photo: Path, tmp_path: Path) -> None:
    name = gallery()[0].name
    assert f"Did you mean '{name}'?" in refusal(api, "stylize", photo=photo, style=name + "x", **MIX)
    assert "method" in refusal(api, "stylize", photo=photo, style=name, method="paintbrush")
    assert "alpha" in refusal(api, "stylize", photo=photo, style=name, alpha=9)
    assert "size" in refusal(api, "stylize", photo=photo, style=name, size=100.5)
    assert "photo" in refusal(api, "stylize", style=name)
    assert "style" in refusal(api, "stylize", photo=photo)
    text = tmp_path / "note.png"
    text.write_text("not a picture")
    assert "picture" in refusal(api, "stylize", photo=text, style=name).lower()
    assert "whose" in refusal(api, "delete_my_data")


def test_delete_my_data_reaches_the_pictures_behind_links(
    api: Client, photo: Path, running_page: Page, settings: Settings
) -> None:
    info = wait(api, call(api, "submit", photo=photo, style=gallery()[0].name, **MIX))
    links = Links.in_folder(settings.data_dir)
    url = f"{running_page.url}/{links.address(info['id'], 'painting.png')}"
    status, headers, data = get(url)
    assert status == 200
    assert headers["content-disposition"].startswith('attachment; filename="alla-prima-')
    assert Image.open(BytesIO(data)).size == (240, 160)
    for file in ("painting.jpg", "photo.jpg", "thumb.jpg"):
        status, headers, data = get(f"{running_page.url}/{links.address(info['id'], file)}")
        assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert get(url.replace("painting.png", "other.png"))[0] == 404
    assert get(f"{running_page.url}/pictures/job/{info['id']}/{'0' * 40}/painting.png")[0] == 404
    gone = call(api, "delete_my_data", visitor=info["visitor"])
    assert gone["jobs"] == 1
    assert gone["pictures"] >= 1
    assert get(url)[0] == 404
    assert "no such painting" in refusal(api, "job", job_id=info["id"], visitor=info["visitor"])


def test_style_tiles_are_small_and_cached(running_page: Page) -> None:
    for style in gallery():
        status, headers, data = get(f"{running_page.url}/pictures/style/{style.name}.jpg")
        assert status == 200
        assert "max-age" in headers["cache-control"]
        assert max(Image.open(BytesIO(data)).size) <= 320
    assert get(f"{running_page.url}/pictures/style/nothing.jpg")[0] == 404


def test_health_and_metrics(running_page: Page) -> None:
    status, headers, data = get(f"{running_page.url}/healthz")
    report = json.loads(data)
    assert (status, report["ok"], report["queue"]) == (200, True, "ok")
    assert headers["content-type"].startswith("application/json")
    status, headers, data = get(f"{running_page.url}/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert b"allaprima_workers 1.0" in data


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_the_page_has_loaded_no_torch(api: Client, photo: Path, running_page: Page) -> None:
    wait(api, call(api, "submit", photo=photo, style=gallery()[0].name, **MIX))
    loaded = Path(f"/proc/{running_page.process.pid}/maps").read_text()
    assert "PIL/_imaging" in loaded
    assert "libtorch" not in loaded
    assert not list((ROOT / "webui").rglob("*.pyi"))  # Gradio writes stubs beside component classes
