"""Past ratings from CSV: a made-up table of the reference's shape, 52 raters × 10 pictures, and what is refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from core.errors import ParameterError
from tests.worker.surveys import begin
from worker.client import Client
from worker.survey.imports import import_ratings, read_ratings
from worker.survey.service import Surveys

RATERS = 52
# Sums of 52 ratings each: means 6.31 … 8.69, and 3796 / 520 = 7.3 over all.
SUMS = (364, 328, 338, 452, 351, 372, 421, 380, 390, 400)


def column(total: int) -> list[int]:
    """52 ratings of a given sum: the mean rounded down or up, ten raters one above it and ten one below."""
    low, higher = divmod(total, RATERS)
    values = [low + (rater < higher) for rater in range(RATERS)]
    return [
        value + (1 if rater < 10 else -1 if rater >= RATERS - 10 else 0) for rater, value in enumerate(values)
    ]


def write_table(file: Path) -> None:
    """The table, one line per rater; each column starts at another rater, so that nobody is high throughout."""
    columns = [column(total) for total in SUMS]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["rater", *(f"Picture {number}" for number in range(1, 11))])
        for rater in range(RATERS):
            row = [values[(rater + 5 * index) % RATERS] for index, values in enumerate(columns)]
            writer.writerow([f"Participant {rater + 1}", *row])


def test_a_table_of_the_references_shape_gives_the_numbers_worked_out_by_hand(
    stored: Client, tmp_path: Path
) -> None:
    file = tmp_path / "past.csv"
    write_table(file)
    assert import_ratings(stored, "past", file) == (52, 520)
    surveys = Surveys(stored)
    results = surveys.results("past")
    assert (results.raters, results.complete, results.given, results.missing) == (52, 52, 520, 0)
    assert results.overall.mean == pytest.approx(7.3)
    by_title = {pair.title: pair for pair in results.pairs}
    assert {title: round(pair.summary.mean or 0, 4) for title, pair in by_title.items()} == {
        "Picture 1": 7.0,
        "Picture 2": 6.3077,
        "Picture 3": 6.5,
        "Picture 4": 8.6923,
        "Picture 5": 6.75,
        "Picture 6": 7.1538,
        "Picture 7": 8.0962,
        "Picture 8": 7.3077,
        "Picture 9": 7.5,
        "Picture 10": 7.6923,
    }
    # Ten sixes, 32 sevens, ten eights: the squares of the deviations add up to 20.
    first = by_title["Picture 1"].summary
    assert first.histogram == (0, 0, 0, 0, 0, 10, 32, 10, 0, 0)
    assert first.sd == pytest.approx(math.sqrt(20 / 51))
    assert first.median == 7
    # The interval of a mean of 52 is about ± 1.96 sd / √52 = ± 0.170.
    assert first.low == pytest.approx(7 - 0.170, abs=0.03)
    assert first.high == pytest.approx(7 + 0.170, abs=0.03)
    # 26 sixes and 26 sevens moved apart: ten eights, 16 sevens, 16 sixes, ten fives.
    third = by_title["Picture 3"].summary
    assert third.histogram == (0, 0, 0, 0, 10, 16, 16, 10, 0, 0)
    assert third.sd == pytest.approx(math.sqrt((20 * 1.5**2 + 32 * 0.5**2) / 51))
    assert [pair.title for pair in results.pairs] == [f"Picture {n}" for n in (4, 7, 10, 9, 8, 6, 1, 5, 3, 2)]
    assert [pair.rank for pair in results.pairs] == [float(rank) for rank in range(1, 11)]
    assert results.excluded == ()
    assert results.agreement.alpha is not None
    assert 0.2 < results.agreement.alpha < 0.8


def test_importing_again_changes_nothing_and_names_are_not_kept(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    write_table(file)
    surveys = Surveys(client)
    for _ in range(2):
        import_ratings(client, "past", file)
        assert (surveys.study("past").raters, surveys.study("past").ratings) == (52, 520)
    assert surveys.study("past").state == "closed"
    assert "Participant" not in (surveys.export("past") + surveys.export("past", "json")).decode()
    whole = b"".join(path.read_bytes() for path in client.settings.data_dir.rglob("*") if path.is_file())
    assert b"Participant" not in whole
    assert surveys.chart("past").startswith(b"\x89PNG")


def test_long_tables_gaps_and_other_separators(client: Client, tmp_path: Path) -> None:
    wide, long = tmp_path / "wide.csv", tmp_path / "long.csv"
    wide.write_text("\ufeffrater;one;two\nA;3;\nB;;5\nC;4;4\n", encoding="utf-8")
    long.write_text("rater,pair,score\nA,one,3\nB,two,5\nC,one,4\nC,two,4\n")
    found = [read_ratings(file.read_text(encoding="utf-8")) for file in (wide, long)]
    assert (
        found[0]
        == found[1]
        == (["one", "two"], {"A": {"one": 3}, "B": {"two": 5}, "C": {"one": 4, "two": 4}})
    )
    assert import_ratings(client, "small", wide, scale=(1, 5)) == (3, 4)
    results = Surveys(client).results("small")
    assert (results.scale, results.due, results.missing) == ((1, 5), 6, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a first line"),
        ("person,one\nA,3\n", "one of them 'rater'"),
        ("rater,one,one\nA,3,4\n", "same name"),
        ("rater,one\n,3\n", "Line 2 does not say whose"),
        ("rater,one\nA,3\nA,4\n", "Line 3 is the second one of the rater 'A'"),
        ("rater,item,score\nA,one,3\nA,one,3\n", "Line 3 is a second rating of 'one' by 'A'"),
        ("rater,one\nA,7.5\n", "Line 2: '7.5' is no whole number"),
        ("rater,one\nA,\n", "holds no ratings"),
        ("rater,one\nA,11\n", "gave 'one' a 11, and the scale goes from 1 to 10"),
    ],
)
def test_tables_that_cannot_be_taken_are_refused_whole(
    client: Client, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(ParameterError) as raised:
        import_ratings(client, "refused", file)
    assert said in str(raised.value)
    assert Surveys(client).studies(open_only=False) == []


def test_files_that_cannot_be_read(client: Client, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("rater,größe\nA,3\n".encode("latin-1"))
    for name, said in (("missing.csv", "cannot be read"), ("latin.csv", "UTF-8")):
        with pytest.raises(ParameterError, match=said):
            import_ratings(client, "past", tmp_path / name)


def test_paper_ratings_join_a_study_of_our_own(client: Client, tmp_path: Path) -> None:
    surveys = begin(client)
    file = tmp_path / "paper.csv"
    file.write_text("rater,p0,p1\nA,3,4\nB,5,6\n")
    assert import_ratings(client, "test", file) == (2, 4)
    results = surveys.results("test")
    assert (results.raters, results.given, results.missing) == (2, 4, 4)
    file.write_text("rater,p0,p9\nA,3,4\n")
    with pytest.raises(ParameterError, match="no picture 'p9'"):
        import_ratings(client, "test", file)
    # Whoever comes next gets a number of their own.
    assert surveys.consent("test", surveys.rater("test", "web:x"), "en", source="web").consented
