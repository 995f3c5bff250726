"""The researcher's side: study files into the database, painting through the real queue, reports, command line."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from core.errors import AllaPrimaError, NotFoundError, ParameterError, PictureError, UnknownNameError
from core.evaluate.metrics import style_and_content
from core.nn.vgg import load_vgg
from core.tensors import to_tensor
from tests.worker.conftest import Service, picture
from tests.worker.surveys import begin, names_of, paint, study_of, take_part
from tests.worker.trainings import Material
from worker import cli
from worker.client import Client
from worker.jobs import JobView
from worker.settings import Settings, use_settings
from worker.store import surveys as table
from worker.store.study_models import StudyPairRow
from worker.survey import manage
from worker.survey.measure import _scaled, measure
from worker.survey.pictures import Pictures
from worker.survey.service import SurveyError, Surveys

PAINTED = {"method": "mix", "alpha": 0.5}
ARMS = [{"name": "soft", "params": {"alpha": 0.25}}, {"name": "full", "params": {"alpha": 1.0}}]
CHECKS = [
    {"name": "bare", "photo": "sample:dunes", "style": "gallery:mosaic", "expect": [1, 3]},
    {"name": "again", "repeat": "p0"},
]


def rows(client: Client, name: str = "test") -> dict[str, StudyPairRow]:
    with client.database.read() as session:
        return {row.name: row for row in table.pairs(session, name)}


@pytest.fixture
def rendered(service: Service) -> Service:
    """The service without a study called test."""
    if any(study.name == "test" for study in Surveys(service.client).studies(open_only=False)):
        manage.delete_study(service.client, "test")
    return service


def test_pictures_are_painted_by_the_queue_and_bound_to_their_jobs(rendered: Service) -> None:
    client = rendered.client
    study = study_of(2, params=PAINTED, arms=ARMS, checks=CHECKS)
    manage.create(client, study, Path())
    assert Surveys(client).study("test").rendered == 1
    with pytest.raises(SurveyError, match=r"5 pictures are not painted yet"):
        manage.open_study(client, "test")
    told: list[tuple[str, JobView | None]] = []
    assert manage.render(client, "test", lambda item, job: told.append((item, job))) == []
    found = rows(client)
    for name, alpha in (("p0/soft", 0.25), ("p1/full", 1.0)):
        job = client.job(str(found[name].job_id))
        assert (job.params.alpha, job.params.method) == (alpha, "mix")
        assert (found[name].result_key, found[name].model_hash) == (job.result_key, job.model_hash)
        assert found[name].params == job.params.model_dump(mode="json")
    assert found["again"].job_id == found["p0/soft"].job_id
    assert (found["bare"].job_id, found["bare"].result_key) == (None, found["bare"].photo_key)
    assert [name for name, job in told if job is None] == ["p0/soft", "p0/full", "p1/soft", "p1/full"]
    jobs = len(client.jobs(manage.owner_of("test")))
    assert manage.render(client, "test") == []
    assert len(client.jobs(manage.owner_of("test"))) == jobs == 4
    manage.open_study(client, "test")
    take_part(Surveys(client), "web:x", 5)
    # The same file again is the same study, until somebody takes part.
    with pytest.raises(SurveyError, match="1 person takes part"):
        manage.create(client, study, Path())


def test_an_arm_may_be_a_method_that_takes_its_time(rendered: Service) -> None:
    client = rendered.client
    arms = [
        {"name": "quick", "params": {"method": "mix"}},
        {"name": "slow", "params": {"method": "grow", "patience": 0.3, "size": 64}},
    ]
    manage.create(client, study_of(2, params={}, arms=arms), Path())
    assert manage.render(client, "test") == []
    found = rows(client)
    assert {name.rpartition("/")[2]: row.params["method"] for name, row in found.items()} == {
        "quick": "mix",
        "slow": "grow",
    }
    assert found["p1/slow"].params["own"] == {"patience": 0.3}
    assert found["p0/quick"].result_key != found["p0/slow"].result_key
    manage.open_study(client, "test")


def test_rendering_goes_on_where_it_was_stopped(rendered: Service) -> None:
    client = rendered.client
    manage.create(client, study_of(3, params=PAINTED), Path())

    def stop(item: str, job: JobView | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manage.render(client, "test", stop)
    ordered = {row.job_id for row in rows(client).values()}
    assert len(ordered) == 3
    assert manage.render(client, "test") == []
    assert {row.job_id for row in rows(client).values()} == ordered
    kept = rows(client)
    manage.create(client, study_of(4, params=PAINTED), Path())
    now = rows(client)
    assert [now[name].result_key == kept[name].result_key for name in ("p0", "p1", "p2")] == [True] * 3
    assert now["p3"].result_key is None


def test_a_picture_that_cannot_be_painted_is_a_sentence(rendered: Service) -> None:
    client = rendered.client
    pairs = [
        {"name": "good", "photo": "sample:lake", "style": "gallery:pastel"},
        {"name": "other", "photo": "sample:lake", "style": "gallery:pastel", "model": "0" * 64},
    ]
    manage.create(client, study_of(params=PAINTED, pairs=pairs), Path())
    (failure,) = manage.render(client, "test")
    assert failure.startswith("other: the study asks for the model 000000000000…")
    assert rows(client)["other"].result_key is None
    with pytest.raises(SurveyError, match="1 picture is not painted yet"):
        manage.open_study(client, "test")


def test_own_pictures_beside_the_study_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "my_photo.png").write_bytes(picture(1))
    (tmp_path / "style.png").write_bytes(picture(2))
    pairs = [{"name": "own", "photo": "my_photo.png", "style": "style.png"}]
    manage.create(client, study_of(pairs=pairs), tmp_path)
    row = rows(client)["own"]
    assert (row.photo_title, row.style) == ("my photo", f"blob:{row.style_key}")
    assert client.blobs.get(str(row.photo_key), manage.owner_of("test")) == picture(1)
    (tmp_path / "style.png").write_bytes(b"nothing")
    for folder, said in ((tmp_path, "style.png: "), (tmp_path / "elsewhere", "my_photo.png")):
        with pytest.raises(PictureError, match=said):
            manage.create(client, study_of(pairs=pairs), folder)
    with pytest.raises(UnknownNameError, match="Did you mean 'lake'"):
        manage.create(client, study_of(pairs=[{**pairs[0], "photo": "sample:lakes"}]), tmp_path)


def test_a_researcher_leaves_raters_out_and_takes_them_in_again(stored: Client) -> None:
    surveys = begin(stored)
    for person, score in (("web:a", 4), ("web:b", 8)):
        take_part(surveys, person, {f"p{n}": score + n % 2 for n in range(4)})
    ratings = json.loads(surveys.export("test", "json"))["ratings"]
    rater = next(rating["rater"] for rating in ratings if rating["score"] == 8)
    manage.exclude(stored, "test", rater, "colleague")
    results = surveys.results("test")
    assert [(one.rule, one.reason) for one in results.excluded] == [("researcher", "colleague")]
    assert (results.overall.mean, results.everybody.mean) == (4.5, 6.5)
    manage.exclude(stored, "test", rater, None)
    assert surveys.results("test").overall.mean == 6.5
    with pytest.raises(NotFoundError):
        manage.exclude(stored, "test", "0123456789", "nobody")
    with pytest.raises(ParameterError):
        manage.exclude(stored, "test", rater, "  ")


def test_metrics_are_measured_once_and_joined(client: Client) -> None:
    surveys = begin(client)
    lines: list[str] = []
    assert measure(client, "test", None, "cpu", lines.append) == 4
    assert len(lines) == 4
    # In these tests the photo stands for the result.
    assert all(row.metrics["SSIM"] == pytest.approx(1, abs=1e-4) for row in rows(client).values())
    assert measure(client, "test", None, "cpu") == 0
    take_part(surveys, "web:a", {f"p{n}": n + 3 for n in range(4)})
    assert all(pair.metrics["SSIM"] > 0.99 for pair in surveys.results("test").pairs)
    with pytest.raises(AllaPrimaError, match="No VGG weights"):
        measure(client, "test", Path("nowhere.safetensors"), "cpu")


def test_a_teacher_adds_style_and_content(client: Client, material: Material) -> None:
    surveys = begin(client)
    measure(client, "test", None, "cpu")
    assert measure(client, "test", material.vgg, "cpu") == 4
    vgg = load_vgg(material.vgg)
    for row in rows(client).values():
        photo, style = (Pictures(client.blobs).open(row, which) for which in ("photo", "style"))
        # In these tests the photo stands for the result.
        shown = [to_tensor(_scaled(picture)) for picture in (photo, style)]
        style_loss, _ = style_and_content(shown[0], shown[0], shown[1], vgg)
        assert row.metrics["Lc"] == pytest.approx(0, abs=1e-6)
        assert row.metrics["Ls"] == pytest.approx(style_loss, rel=1e-4)
        assert row.metrics["Ls"] > 0
        assert set(row.metrics) == {"SSIM", "Ls", "Lc"}
    assert measure(client, "test", material.vgg, "cpu") == 0
    for person in range(4):
        take_part(surveys, f"web:{person}", {f"p{n}": n + 3 for n in range(4)})
    assert {found.metric for found in surveys.results("test").correlations} >= {"Ls", "SSIM"}


def test_charts_and_reports(client: Client) -> None:
    surveys = begin(client, study_of(3, arms=ARMS, checks=CHECKS, exclude={"straight_lines": True}))
    empty = surveys.chart("test")
    for person in range(6):
        names = names_of(surveys)
        scores = {name: (person * 3 + index) % 5 + 4 for index, name in enumerate(names.values())}
        take_part(surveys, f"web:{person}", {**scores, "bare": 2, "again": scores["p0/soft"]})
    take_part(surveys, "web:flat", 3)
    chart = surveys.chart("test", "ru")
    assert chart != empty
    assert chart == surveys.chart("test", "ru") != surveys.chart("test", "en")
    with Image.open(io.BytesIO(chart)) as shown:
        assert (shown.format, shown.width) == ("PNG", 1280)
        # Telegram refuses pictures whose sides differ more than twentyfold.
        assert shown.height < 20 * shown.width
    html = surveys.report("test").decode()
    results = surveys.results("test")
    assert f"{results.overall.mean:.2f}" in html
    assert "1 rater is left out with 6 ratings (1 for the same score throughout)" in html
    assert "soft − full" in html
    for outside in ("<script", "http://", "https://"):
        assert outside not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
            "http://creativecommons.org", ""
        ).replace("https://matplotlib.org", "")
    pdf = surveys.report("test", "pdf")
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") == 1
    with pytest.raises(UnknownNameError):
        surveys.report("test", "docx")


def test_titles_cannot_smuggle_html_into_a_report(client: Client) -> None:
    bad = dict.fromkeys(("question", "consent", "thanks"), "<img src=x onerror=alert(1)>")
    text = {**bad, "title": "<script>alert(1)</script>", "low": "a", "high": "b"}
    surveys = begin(client, study_of(languages=["en"], text={"en": text}))
    take_part(surveys, "web:x", {f"p{n}": n + 3 for n in range(4)})
    html = surveys.report("test").decode()
    assert "<script" not in html
    assert "<img src=x" not in html


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert cli.main(["survey", *arguments]) == code
    printed = capsys.readouterr()
    return printed.out if code == 0 else printed.err


def test_the_command_line_from_file_to_report(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use_settings(settings)
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\nlanguages = ["en"]\n[text.en]\n'
        + "".join(
            f'{name} = "{name}"\n' for name in ("title", "question", "consent", "thanks", "low", "high")
        )
        + '[[pairs]]\nname = "one"\nphoto = "sample:lake"\nstyle = "gallery:ebru"\n'
        '[[pairs]]\nname = "two"\nphoto = "sample:bust"\nstyle = "gallery:batik"\n'
    )
    assert "first-impressions" in run(capsys, "list")
    assert "has 2 pictures, 0 of them painted" in run(capsys, "create", str(file))
    assert "queue, which cannot be reached" in run(capsys, "render", "mine", code=2)
    with Client(settings) as client:
        paint(client, "mine")
    assert "is open" in run(capsys, "open", "mine")
    with Client(settings) as client:
        surveys = Surveys(client)
        for person in range(4):
            take_part(surveys, f"web:{person}", {"one": 4 + person, "two": 9 - person}, "mine")
    printed = run(capsys, "results", "mine")
    assert "6.50" in printed
    assert "Mountain lake at sunset × Peacock Marbling" in printed
    rater = run(capsys, "export", str(file)).splitlines()[1].split(",")[0]
    for out in ("r.html", "r.pdf", "r.png", "r.json"):
        assert run(capsys, "results", "mine", "-o", str(tmp_path / out)).strip() == str(tmp_path / out)
        assert (tmp_path / out).stat().st_size > 1000
    assert json.loads((tmp_path / "r.json").read_text())["overall"]["mean"] == 6.5
    run(capsys, "export", "mine", "-o", str(tmp_path / "ratings.csv"))
    assert (tmp_path / "ratings.csv").read_text().count("\n") == 9
    assert "must end with one of .csv, .json" in run(capsys, "export", "mine", "-o", "x.xlsx", code=2)
    run(capsys, "exclude", "mine", rater, "test person")
    assert f"left out: {rater} (researcher: test person; 2 ratings)" in run(capsys, "results", "mine")
    run(capsys, "include", "mine", rater)
    assert "is closed: 4 raters, 8 ratings" in run(capsys, "close", "mine")
    past = tmp_path / "past.csv"
    past.write_text("rater,one,two\nA,3,4\nB,5,4\n")
    assert "4 ratings by 2 raters" in run(capsys, "import", "past", str(past), "--scale", "1", "5")
    assert "4.00" in run(capsys, "results", "past")
    assert "say so with --yes" in run(capsys, "delete", "mine", code=2)
    run(capsys, "delete", "mine", "--yes")
    assert "mine" not in run(capsys, "list")
    assert "Nobody has rated a painting yet" in run(capsys, "quick")
    for wrong in (("opne",), ("results",), ("list", "mine"), ("import", "mine"), ("results", "nothing")):
        assert run(capsys, *wrong, code=2).count("\n") == 1


def test_opening_a_shipped_study_creates_and_paints_it(
    rendered: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "quick-look.toml"
    file.write_text(
        'name = "quick-look"\nlanguages = ["en"]\n[params]\nmethod = "mix"\n[text.en]\n'
        + "".join(
            f'{name} = "{name}"\n' for name in ("title", "question", "consent", "thanks", "low", "high")
        )
        + '[[pairs]]\nname = "one"\nphoto = "sample:lake"\nstyle = "gallery:ebru"\n'
    )
    monkeypatch.setattr("core.survey.study.STUDIES", tmp_path)
    use_settings(rendered.settings)
    printed = run(capsys, "open", "quick-look")
    assert "Painted: 1 of 1 picture" in printed
    assert "1 picture measured" in printed
    assert "is open" in printed
    assert rows(rendered.client, "quick-look")["one"].metrics["SSIM"] > 0
    manage.delete_study(rendered.client, "quick-look")


def test_jobs_may_be_forgotten_but_the_study_remembers(
    rendered: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = rendered.client
    manage.create(client, study_of(1, params=PAINTED), Path())
    assert manage.render(client, "test") == []
    before = rows(client)["p0"]
    later = time.time() + 365 * 86400
    with monkeypatch.context() as patched:
        patched.setattr("worker.store.blobs.time.time", lambda: later)
        client.blobs.reap()
    after = rows(client)["p0"]
    assert (after.job_id, after.model_hash) == (before.job_id, before.model_hash)
    assert Surveys(client).picture("test", after.id, "result", side=64).startswith(b"\xff\xd8")
