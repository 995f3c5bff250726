"""Tables of ratings as people export them: read whole, or refused with the line, or told what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ParameterError
from core.survey.study import STUDIES, read_study
from worker.client import Client
from worker.survey.imports import import_ratings
from worker.survey.service import Surveys
from worker.survey.tables import read_table, read_text

ROWS = [["rater", "boat", "lake"], ["anna", "7", "3"], ["ben", "5", ""], ["cara", "10", "1"]]
SCORES = {"anna": {"boat": 7, "lake": 3}, "ben": {"boat": 5}, "cara": {"boat": 10, "lake": 1}}


def text(delimiter: str = ",", rows: list[list[str]] = ROWS, end: str = "\r\n") -> str:
    return end.join(delimiter.join(row) for row in rows) + end


@pytest.mark.parametrize(
    "data",
    [
        text().encode(),
        b"\xef\xbb\xbf" + text(";").encode(),
        text("\t").encode("utf-16"),
        b"sep=;\r\n" + text(";").encode(),
        b'"sep=\t"\r\n' + text("\t").encode(),
        b"\xef\xbb\xbfsep=,\n" + text(end="\n").encode(),
        (text() + "\r\n,,\r\n\r\n").encode(),
        text(rows=[[*row, ""] for row in ROWS]).encode(),
        text(rows=[["Rater", "boat", "lake"], *ROWS[1:]]).encode(),
        text(rows=[ROWS[0], ["anna", "7.0", "3.00"], ["ben", "5.0", ""], ["cara", "10.0", "1.0"]]).encode(),
        text(";", [ROWS[0], ["anna", "7,0", "3,0"], ["ben", "5,0"], ["cara", "10,0", "1,0"]]).encode(),
        b"rater,item,rating\nanna,boat,7\nanna,lake,3\nben,boat,5\ncara,boat,10\ncara,lake,1\nben,lake,\n",
        b"Pair;Score;RATER\nboat;7;anna\nlake;3;anna\nboat;5;ben\nboat;10;cara\nlake;1;cara\n",
    ],
)
def test_every_way_of_writing_it_is_the_same_table(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(data)
    table = read_table(read_text(file))
    assert (table.pictures, table.scores, table.notes) == (["boat", "lake"], SCORES, [])


def test_names_with_separators_quotes_and_line_feeds() -> None:
    table = read_table(
        '"rater","boat, at sea","lake ""blue""\nby night"\r\n"anna","7","3"\r\n\r\n"ben","4","x"'.replace(
            '"x"', ""
        )
    )
    assert table.pictures == ["boat, at sea", 'lake "blue"\nby night']
    assert table.scores == {
        "anna": {"boat, at sea": 7, 'lake "blue"\nby night': 3},
        "ben": {"boat, at sea": 4},
    }


@pytest.mark.parametrize("name", ["Timestamp", "Zeitstempel", "answered"])
def test_times_of_a_form_are_left_out_and_that_is_told(name: str, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "form.csv"
    file.write_text(
        f"{name},rater,boat,lake\n2026/11/01 10:02:11 AM,anna,7,3\n01.11.2026 10:05,ben,5,\n2026-11-02T10:00,cara,,\n"
    )
    said: list[str] = []
    assert import_ratings(client, "form", file, say=said.append) == (2, 3)
    assert said == [
        f"Left out: the column '{name}', with times.",
        "Left out: the rater 'cara', without a rating.",
    ]
    found = Surveys(client).study("form")
    assert (found.raters, found.ratings) == (2, 3)
    assert {pair.title for pair in Surveys(client).results("form").pairs} == {"boat", "lake"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("rater,boat,lake\nanna,7,3,4\n", "Line 2 has 4 cells, and the first line names 3 columns"),
        ("rater,boat\r\n\r\nanna,7\r\nben,8,9\r\n", "Line 4 has 3 cells"),
        ("rater,boat\nanna,good\n", "Line 2: 'good' is no whole number"),
        ("sep=;\nrater;boat\nanna;7\nben;seven\n", "Line 4: 'seven' is no whole number"),
        ("rater,boat,date\nanna,7,soon\nben,8,2026-01-01\ncara,9,later\n", ""),
        ("rater,boat,,lake\nanna,7,1,3\n", "has no name"),
        ("rater,Rater,boat\nanna,a,7\n", "same name"),
        ("rater,item,comment\nanna,boat,nice\n", "none called 'score'"),
        ("rater,item,score\nanna,,7\n", "Line 2 does not say what was rated"),
        ("rater,boat\nan\0na,7\n", "zero bytes"),
        ('rater,boat\n"anna,7\n', "damaged"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(table: str, said: str) -> None:
    if not said:
        assert read_table(table).notes == ["Left out: the column 'date', with times."]
        return
    with pytest.raises(ParameterError, match=said):
        read_table(table)


def test_two_columns_that_are_one_picture_of_the_study(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("rater,Boat\nanna,7\n")
    import_ratings(client, "past", file)
    file.write_text("rater,Boat,boat\nben,7,3\n")
    with pytest.raises(ParameterError, match="'Boat' and 'boat' are the same picture"):
        import_ratings(client, "past", file)
    long = "a very long title " * 9
    file.write_text(f"rater,{long}\nanna,7\n")
    for _ in range(2):
        assert import_ratings(client, "long", file) == (1, 1)


def test_a_study_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    shipped = next(STUDIES.glob("*.toml"))
    marked = tmp_path / "marked.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + shipped.read_bytes())
    assert read_study(marked) == read_study(shipped)
