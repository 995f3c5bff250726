"""The training room: its routes for operators only, and the room itself in a browser."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from PIL import Image
from pydantic import SecretStr
from starlette.testclient import TestClient

from tests.webui.conftest import picture
from webui.pictures import Links
from webui.site import Shelf, Site
from webui.survey.page import survey_page
from webui.training import routes
from webui.training.page import PANEL, STYLESHEET, scripts
from worker.client import Client
from worker.jobs import new_id
from worker.settings import Settings
from worker.store.models import ModelVersion, Training, TrainingSlice

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

PASSWORD = "burnt umber"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service without workers: what is handed in waits."""
    folder = tmp_path_factory.mktemp("training")
    with Client(Settings(_env_file=None, data_dir=folder, operator_password=SecretStr(PASSWORD))) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(client: Client) -> FastAPI:
    built = FastAPI()
    folder = client.settings.data_dir
    routes.add_routes(built, Site(client.settings, client, Links.in_folder(folder), Shelf(folder / "shelf")))
    return built


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    return TestClient(app)


@pytest.fixture
def operator(app: FastAPI) -> TestClient:
    known = TestClient(app)
    assert known.post("/training/api/enter", json={"password": PASSWORD}).status_code == 200
    return known


def trained(client: Client, name: str, state: str = "done", **values: Any) -> str:
    """A training as workers leave it: rows, curves, two sheets, figures, log; its id."""
    training, now = new_id(), time.time()
    row = {
        "phase": "train",
        "step": 40,
        "live_step": 40,
        "steps": 40,
        "slices": 2,
        "seconds": 95.0,
        "recipe": {"name": "adain", "task": "adain", "steps": 40, "optim": {"lr": 0.001}},
        "material": {"content": ["/data/photos"], "style": ["/data/styles"]},
        "record": {"network": {"hidden": 8}, "code": "0.1", "photos": 8},
        "publish": {},
        "created_at": now,
    }
    with client.database.write() as session:
        session.add(Training(id=training, name=name, owner="cli:test", state=state, **(row | values)))
        session.flush()
        for number, phase in enumerate(("check", "train"), start=1):
            session.add(
                TrainingSlice(
                    training=training,
                    number=number,
                    phase=phase,
                    worker="painter.0.0|1|2|3",
                    first_step=0,
                    last_step=0 if phase == "check" else 40,
                    outcome="done",
                    started_at=now,
                    finished_at=now,
                )
            )
    folder = client.training.folder(training)
    folder.path.mkdir(parents=True)
    lines = [f"{step},{2.0 / step},{1.0 / step},0.001" for step in range(1, 41)]
    (folder.path / "curves.csv").write_text("\n".join(["step,loss,Ls,lr", *lines, ""]))
    (folder.path / "validation.csv").write_text("step,ls,ssim\n20,0.5,0.3\n40,0.25,0.4\n")
    for step in (20, 40):
        picture(300, 200, seed=step).save(folder.path / f"sheet-{step:07d}.png")
    folder.write_json("reference.json", {"adain (shipped)": {"ls": 0.1, "ssim": 0.5}})
    finding = [["/data/photos/torn.jpg", "This file is torn <b>."]]
    folder.write_json(
        "check.json",
        {
            "photos": {
                "what": "photos",
                "total": 9,
                "usable": 8,
                "needed": 6,
                "counts": {"unreadable": 1},
                "findings": {"unreadable": finding},
            }
        },
    )
    folder.say("slice 2: steps 0 to 40")
    return training


@pytest.fixture
def run(client: Client) -> Iterator[str]:
    """One finished training, and nothing else."""
    training = trained(client, "Small <student>")
    yield training
    with client.database.write() as session:
        for table in (Training, ModelVersion):
            for row in session.query(table).all():
                session.delete(row)


def test_nobody_sees_anything_without_the_password(stranger: TestClient, run: str) -> None:
    for path in (
        "api/overview",
        f"api/detail?training={run}",
        f"api/chart?training={run}",
        f"sheet/{run}/40.png",
        "model/adain/1/file.md",
    ):
        assert stranger.get(f"/training/{path}").status_code == 401, path
    for action in ("start", "act", "model"):
        assert stranger.post(f"/training/api/{action}", json={}).status_code == 401, action
    assert stranger.post("/training/api/upload?name=a.tar", content=b"x").status_code == 401
    refused = stranger.post("/training/api/enter", json={"password": "raw umber"})
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_password")
    assert stranger.get("/training/api/overview").status_code == 401


def test_operators_look_around(operator: TestClient, run: str) -> None:
    overview = operator.get("/training/api/overview").json()
    assert [one["name"] for one in overview["runs"]] == ["Small <student>"]
    assert {"adain", "distill"} <= {one["name"] for one in overview["recipes"]}
    assert {"value": "model:adain", "title": "model adain, as in use"} in overview["encoders"]
    found = operator.get(f"/training/api/detail?training={run}").json()
    assert found["actions"] == ["publish", "delete"]
    assert (found["sheets"], found["names"]) == ([20, 40], ["loss", "Ls", "lr"])
    assert found["course"][0]["worker"] == "painter"
    # The curves come drawn, for the width there is, and without those that are hidden.
    assert found["names"] == ["loss", "Ls", "lr"]
    assert found["chart"]["svg"].count('class="line') == 3
    drawn = operator.get(f"/training/api/chart?training={run}&width=400&hidden=lr,Ls").json()
    assert 'width="400"' in drawn["svg"]
    assert [(line["name"], line["color"]) for line in drawn["lines"]] == [("loss", "c0")]
    assert (drawn["left"] + drawn["span"], drawn["last"]) == (400 - 14, 40)
    assert drawn["lines"][0]["steps"] == list(range(1, 41))
    for width in ("0", "-5", "x", "99999999"):
        assert operator.get(f"/training/api/chart?training={run}&width={width}").status_code == 200
    assert found["reference"]["adain (shipped)"]["ssim"] == 0.5
    sheet = operator.get(f"/training/sheet/{run}/40.png")
    assert Image.open(io.BytesIO(sheet.content)).size == (300, 200)
    for path in (
        f"sheet/{run}/41.png",
        f"sheet/{run}/x.png",
        "api/detail?training=no",
        "model/adain/1/file.exe",
    ):
        assert operator.get(f"/training/{path}").status_code == 404, path
    fields = operator.get("/training/api/form?recipe=adain").json()["fields"]
    assert any(field["key"] == "optim__lr" for field in fields)


def test_operators_start_and_steer(operator: TestClient, client: Client, run: str) -> None:
    order: dict[str, Any] = {"recipe": "adain", "content": ["/data/photos"], "style": ["/data/styles"]}
    made = operator.post("/training/api/start", json={**order, "name": "New", "fields": {"steps": "70"}})
    training = client.training.run(made.json()["id"])
    assert (training.name, training.steps, training.owner) == ("New", 70, "web:operator")
    assert str(training.material["encoder"]).endswith("adain.safetensors")  # the shipped one fits
    for wrong, sentence in (
        ({"content": []}, "photos are missing"),
        ({"fields": {"steps": "some"}}, "does not fit"),
        ({"recipe": "adian"}, "Did you mean"),
        ({"content": "/data"}, "a list of folders"),
    ):
        refused = operator.post("/training/api/start", json=order | wrong)
        assert refused.status_code == 400
        assert sentence in refused.json()["error"]
    for action, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        answer = operator.post("/training/api/act", json={"training": training.id, "action": action})
        assert answer.json()["state"] == state
    refused = operator.post("/training/api/act", json={"training": training.id, "action": "resume"})
    assert "nothing to resume" in refused.json()["error"]
    assert operator.post("/training/api/act", json={"training": run, "action": "explode"}).status_code == 400
    answer = operator.post(
        "/training/api/act", json={"training": run, "action": "publish", "method": "adain"}
    )
    assert (answer.json()["state"], answer.json()["phase"]) == ("queued", "publish")


def test_archives_are_uploaded(operator: TestClient, client: Client) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("filler.bin", bytes(range(256)) * 8000)
    answer = operator.post("/training/api/upload?name=my photos.zip", content=file.getvalue())
    place = answer.json()["place"]
    assert re.fullmatch(r"upload:[0-9a-f]{8}-my-photos\.zip", place)
    assert place.removeprefix("upload:") in client.training.archives.names()
    refused = operator.post("/training/api/upload?name=photos.zip", content=b"no archive at all")
    assert refused.status_code == 400
    assert "no tar or zip" in refused.json()["error"]


def test_models_and_comparison(operator: TestClient, client: Client, run: str) -> None:
    other = trained(
        client, "Other", recipe={"name": "adain", "task": "adain", "steps": 40, "optim": {"lr": 0.1}}
    )
    found = operator.get(f"/training/api/compare?one={run}&other={other}").json()
    assert {"group": "Recipe", "name": "optim.lr", "values": [0.001, 0.1], "better": None} in found["lines"]
    assert len(found["chart"]["lines"]) == 2
    assert found["chart"]["svg"].count('class="line') == 2
    with client.database.write() as session:
        session.add(published(run))
    models = operator.get("/training/api/overview").json()["models"]
    assert [(one["version"], one["active"]) for one in models if one["name"] == "adain"] == [
        (1, True),
        (0, False),
    ]
    assert operator.post("/training/api/model", json={"name": "adain", "version": 0}).status_code == 200
    assert client.training.versions("adain")[1].active
    assert operator.post("/training/api/model", json={"name": "adain", "version": 5}).status_code == 404


def published(run: str) -> ModelVersion:
    return ModelVersion(
        name="adain",
        version=1,
        sha256="f" * 64,
        training=run,
        active=True,
        record={"files": {}},
        created_at=time.time(),
        activated_at=time.time(),
    )


# The room itself, served alone: what the page embeds as a tab.


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    import uvicorn
    from starlette.responses import HTMLResponse

    page = survey_page().split("<main>")[0] + f"<main>{PANEL}</main>"
    style = STYLESHEET.read_text(encoding="utf-8")
    page = page.replace("</head>", f"<style>{style}</style>{scripts()}</head>")
    app.add_route("/", lambda request: HTMLResponse(page))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def open_tab(browser: Browser, url: str) -> Iterator[Callable[..., Tab]]:
    """Opens the room, the door passed; at the end no script may have failed."""
    contexts, faults = [], []

    def open_one(viewport: dict[str, int]) -> Tab:
        context = browser.new_context(viewport=viewport)  # type: ignore[arg-type]
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.goto(url)
        tab.get_by_label("Password").fill("wrong")
        tab.get_by_role("button", name="Enter").click()
        tab.get_by_text("This is not the password.").wait_for()
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Enter").click()
        tab.locator("[data-part=head] h2").wait_for()
        return tab

    yield open_one
    for context in contexts:
        context.close()
    assert not faults


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["desktop", "phone"])
def test_an_operator_in_the_room(
    open_tab: Callable[..., Tab], client: Client, run: str, viewport: dict[str, int]
) -> None:
    other = trained(client, "Other")
    tab = open_tab(viewport)
    tab.locator(".run-card", has_text="Small <student>").click()
    tab.locator("[data-part=head] h2", has_text="Small <student>").wait_for()
    assert tab.locator("[data-part=chart] path.line").count() == 2
    tab.get_by_role("button", name="learning rate").click()
    tab.locator("[data-part=chart] path.c2").first.wait_for(state="attached")
    # The slider through time.
    sheet = tab.locator("[data-part=sheets] img")
    assert str(sheet.get_attribute("src")).endswith("/40.png")
    slider = tab.get_by_label("Milestone")
    slider.focus()
    slider.press("ArrowLeft")
    assert str(sheet.get_attribute("src")).endswith("/20.png")
    assert tab.evaluate("() => document.querySelector('[data-part=sheets] img').decode().then(() => true)")
    assert tab.locator("[data-part=figures] tbody tr").count() == 2
    tab.get_by_text("Pictures: 1 remark").click()
    assert "torn.jpg: This file is torn <b>." in tab.locator(".remarks").inner_text()
    tab.get_by_label("Compare with").select_option(other)
    tab.locator(".comparison table").wait_for()
    # Publishing is asked about first.
    tab.get_by_role("button", name="Publish").click()
    tab.get_by_role("button", name="Evaluate and publish").click()
    tab.locator("[data-part=head] .state", has_text="publishing").wait_for()
    assert client.training.run(run).phase == "publish"
    # A new one from the form.
    tab.get_by_role("button", name="New", exact=True).click()
    tab.get_by_label("Name", exact=True).fill("From the form")
    tab.locator("#recipe-steps").fill("60")
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("The photos are missing: name a folder or an archive.").wait_for()
    tab.locator("#train-content").fill("/data/photos\n/data/more.zip")
    tab.locator("#train-style").fill("/data/styles")
    tab.get_by_role("button", name="Start training").click()
    tab.locator("[data-part=head] h2", has_text="From the form").wait_for()
    made = client.training.run("From the form")
    assert (made.steps, made.material["content"]) == (60, ["/data/photos", "/data/more.zip"])
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    # Deleting is asked about, too.
    tab.locator(".run-card", has_text="Other").click()
    tab.get_by_role("button", name="Delete").click()
    tab.get_by_text("published models stay").wait_for()
    tab.get_by_role("button", name="Yes, delete it").click()
    tab.locator(".run-card", has_text="Other").wait_for(state="detached")
    tab.locator("[data-part=head] h2", has_text="From the form").wait_for()
    assert other not in [one.id for one in client.training.runs()]
