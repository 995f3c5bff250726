"""Tables of ratings as spreadsheets and forms write them: nothing of them is dropped without being named."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ParameterError
from core.words import count

RATER, ITEMS, SCORES = "rater", ("item", "pair"), ("score", "rating")
TIMES = frozenset(
    {"timestamp", "time", "date", "zeitstempel", "отметка времени", "horodateur", "marca temporal"}
)
"""What forms call the column that says when somebody answered."""
DELIMITERS = ",;\t"
_WHOLE = re.compile(r"([+-]?\d+)(?:[.,]0+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d).*")


@dataclass
class RatingTable:
    """``scores`` by rater and picture; ``notes``: what of the table is not among them, a sentence each."""

    pictures: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_text(file: Path) -> str:
    """A table's text: UTF-8, or UTF-16 where it says so. Raises ``ParameterError``."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ParameterError(f"The table '{file}' cannot be read: {error.strerror or error}.") from None
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise ParameterError(f"The table '{file}' is not UTF-8 text; save it as CSV in UTF-8.") from None


def read_table(text: str) -> RatingTable:
    """The ratings of a table with a column "rater".

    Either one line per rating with columns "item" (or "pair") and "score" (or "rating"), or one line per rater with a
    column per picture, where an empty cell is a missing rating; whole numbers may be written 7.0. Separated by comma,
    semicolon or tab, also where a first line says so ("sep=;"). Raises ``ParameterError`` naming the line.
    """
    lines = _lines(text)
    _, header = next(lines, (0, []))
    columns = [column.strip() for column in header]
    while columns and not columns[-1]:
        columns.pop()
    lower = [column.casefold() for column in columns]
    if RATER not in lower:
        raise ParameterError(
            "The table needs a first line with the names of its columns, one of them 'rater'."
        )
    if len(set(columns)) < len(columns) or lower.count(RATER) > 1:
        raise ParameterError("Two columns of the table have the same name.")
    if not all(columns):
        raise ParameterError("A column of the table has no name; give it one, or take it out.")
    rows = list(_checked(lines, len(columns)))
    rater = lower.index(RATER)
    item = next((lower.index(name) for name in ITEMS if name in lower), None)
    if item is not None:
        return _long(rows, columns, rater, item, lower)
    return _wide(rows, columns, rater)


Row = tuple[int, list[str]]


def _lines(text: str) -> Iterator[Row]:
    """Number and cells of every line that is not empty."""
    if "\0" in text:
        raise ParameterError("The table holds zero bytes, so it is damaged or no text; save it as CSV again.")
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    separator = re.fullmatch(r"sep=(.)\s*", first.strip("\r\"'"))
    offset = 1 if separator else 0
    body = rest if separator else text
    delimiter = separator[1] if separator else max(DELIMITERS, key=lambda mark: _columns(body, mark))
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        for cells in reader:
            number, before = before + 1 + offset, reader.line_num
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise ParameterError(f"Line {reader.line_num + offset} of the table is damaged ({error}).") from None


def _columns(text: str, delimiter: str) -> int:
    """How many columns the first line has with this delimiter, if one of them is the raters'."""
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return 0
    return len(cells) if RATER in (cell.strip().casefold() for cell in cells) else 0


def _checked(lines: Iterator[Row], width: int) -> Iterator[Row]:
    for number, cells in lines:
        found = [cell.strip() for cell in cells]
        if any(found[width:]):
            raise ParameterError(
                f"Line {number} has {count(len(found), 'cell')}, and the first line names {count(width, 'column')}; no "
                "rating can be told to belong to a picture there."
            )
        yield number, [*found, *[""] * (width - len(found))][:width]


def _rater(number: int, cells: Sequence[str], at: int) -> str:
    if not cells[at]:
        raise ParameterError(f"Line {number} does not say whose ratings it holds.")
    return cells[at]


def _score(number: int, cell: str) -> int:
    whole = _WHOLE.fullmatch(cell)
    if whole is None:
        raise ParameterError(f"Line {number}: '{cell}' is no whole number.")
    return int(whole[1])


def _long(
    rows: Sequence[Row], columns: Sequence[str], rater: int, item: int, lower: Sequence[str]
) -> RatingTable:
    score = next((lower.index(name) for name in SCORES if name in lower), None)
    if score is None:
        raise ParameterError(
            "The table has a column 'item' and none called 'score'; name the one with the ratings so."
        )
    table = RatingTable()
    others = [name for index, name in enumerate(columns) if index not in (rater, item, score)]
    if others:
        table.notes.append(f"Left out: the {_named('column', others)}.")
    for number, cells in rows:
        own = table.scores.setdefault(_rater(number, cells, rater), {})
        name = cells[item]
        if not name:
            raise ParameterError(f"Line {number} does not say what was rated.")
        if not cells[score]:
            continue
        if name in own:
            raise ParameterError(f"Line {number} is a second rating of '{name}' by '{cells[rater]}'.")
        own[name] = _score(number, cells[score])
        if name not in table.pictures:
            table.pictures.append(name)
    return _finished(table)


def _wide(rows: Sequence[Row], columns: Sequence[str], rater: int) -> RatingTable:
    times = [index for index, name in enumerate(columns) if index != rater and _is_time(name, rows, index)]
    pictures = [index for index in range(len(columns)) if index != rater and index not in times]
    table = RatingTable([columns[index] for index in pictures])
    if times:
        table.notes.append(
            f"Left out: the {_named('column', [columns[index] for index in times])}, with times."
        )
    for number, cells in rows:
        who = _rater(number, cells, rater)
        if who in table.scores:
            raise ParameterError(f"Line {number} is the second one of the rater '{who}'.")
        table.scores[who] = {
            columns[index]: _score(number, cells[index]) for index in pictures if cells[index]
        }
    return _finished(table)


def _is_time(name: str, rows: Sequence[Row], index: int) -> bool:
    """Whether a column says when somebody answered: by its name, or by what stands in all of its cells."""
    cells = [cells[index] for _, cells in rows if cells[index]]
    dated = bool(cells) and all(_DATE.fullmatch(cell) for cell in cells)
    return dated or (name.casefold() in TIMES and not all(_WHOLE.fullmatch(cell) for cell in cells))


def _finished(table: RatingTable) -> RatingTable:
    silent = [who for who, given in table.scores.items() if not given]
    for who in silent:
        del table.scores[who]
    if not table.scores:
        raise ParameterError("The table holds no ratings.")
    if silent:
        table.notes.append(f"Left out: the {_named('rater', silent)}, without a rating.")
    return table


def _named(thing: str, names: Sequence[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names)
    return f"{thing} {quoted}" if len(names) == 1 else f"{thing}s {quoted}"
