"""The researcher's side of a study: create it, have it painted, open and close it, leave raters out, delete it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from core import samples, styles
from core.errors import NotFoundError, ParameterError, PictureError
from core.params import PaintParams
from core.survey.study import GALLERY, SAMPLE, Item, Study
from core.words import count
from worker.jobs import JobState, JobView, new_id
from worker.store import surveys as table
from worker.store.blobs import KEPT
from worker.store.study_models import ExclusionRow, RaterRow, StudyPairRow, StudyRow
from worker.survey.pictures import owner_of
from worker.survey.pseudonyms import Pseudonyms
from worker.survey.rows import definition
from worker.survey.views import StudyState, SurveyError

if TYPE_CHECKING:
    from worker.client import Client

Progress = Callable[[str, JobView | None], None]


def create(client: Client, study: Study, folder: Path) -> None:
    """Put a study into the database with its pictures; files are looked for in ``folder``.

    A study of the same name is replaced as long as nobody has agreed to take part; pictures that stay the same stay
    painted. Raises ``SurveyError`` (code "survey_state") afterwards, ``PictureError`` and ``UnknownNameError`` for
    pictures that cannot be read or do not exist.
    """
    with client.database.read() as session:
        _refuse_change(table.counts(session, study.name)[0], study.name)
    rows = [_row(client, study, item, folder, number) for number, item in enumerate(study.items())]
    with client.database.write() as session:
        client.database.lock(session, f"study:{study.name}")
        _refuse_change(table.counts(session, study.name)[0], study.name)
        painted = {_same(old): old for old in table.pairs(session, study.name)}
        session.execute(delete(StudyRow).where(StudyRow.name == study.name))
        session.flush()
        now = time.time()
        session.add(
            StudyRow(
                name=study.name,
                state=str(StudyState.DRAFT),
                definition=study.model_dump(mode="json"),
                created_at=now,
            )
        )
        session.flush()
        for row in rows:
            if (old := painted.get(_same(row))) is not None and row.params:
                row.job_id, row.result_key = old.job_id, old.result_key
                row.model_hash, row.metrics = old.model_hash, old.metrics
            session.add(row)


def _refuse_change(raters: int, name: str) -> None:
    if raters:
        raise SurveyError(
            f"{count(raters, 'person takes', 'people take')} part in the survey '{name}' already, so it "
            "cannot be changed; give the new one another name.",
            code="survey_state",
        )


def _same(row: StudyPairRow) -> tuple[object, ...]:
    return row.name, row.photo_key, row.style_key, str(sorted(row.params.items()))


def _row(client: Client, study: Study, item: Item, folder: Path, number: int) -> StudyPairRow:
    photo, photo_title = _picture(item.photo, folder)
    style, style_title = _picture(item.style, folder)
    owner = owner_of(study.name)
    photo_key, style_key = (client.blobs.put(data, owner, KEPT) for data in (photo, style))
    return StudyPairRow(
        id=new_id(),
        study=study.name,
        number=number,
        name=item.name,
        kind=item.kind,
        photo_title=photo_title[:120],
        style_title=style_title[:120],
        style=item.style if item.style.startswith(GALLERY) else f"blob:{style_key}",
        photo_key=photo_key,
        style_key=style_key,
        params=item.params.model_dump(mode="json") if item.params else {},
        # A bare photo is its own result.
        result_key=None if item.params else photo_key,
        metrics={},
    )


def _picture(reference: str, folder: Path) -> tuple[bytes, str]:
    """A picture's bytes and what it shows; raises ``PictureError`` or ``UnknownNameError``."""
    from core.images import read_bytes, read_picture

    if reference.startswith(SAMPLE):
        sample = samples.describe(reference.removeprefix(SAMPLE))
        return sample.file.read_bytes(), sample.title
    if reference.startswith(GALLERY):
        style = styles.style(reference.removeprefix(GALLERY))
        return style.file.read_bytes(), style.title
    path = folder / Path(reference).expanduser()
    try:
        data = read_bytes(path)
        read_picture(data)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from None
    return data, path.stem.replace("_", " ").replace("-", " ")


def render(client: Client, name: str, progress: Progress = lambda name, job: None) -> list[str]:
    """Have what is not painted yet painted through the queue, and bind each picture to its job.

    ``progress(item, job)`` is told of every change, with ``None`` at the end. May be interrupted and called again:
    jobs under way are followed, not ordered twice. A sentence for each picture that could not be painted.
    """
    with client.database.read() as session:
        study = definition(table.find(session, name))
        rows = [row for row in table.pairs(session, name) if row.result_key is None]
    repeated = {item.name: item.check.repeat for item in study.items() if item.check is not None}
    own = [row for row in rows if not repeated.get(row.name)]
    models = {item.name: item.model for item in study.items()}
    failures = []
    for row in own:
        _order(client, row)
    for row in own:
        sentence = _follow(client, row, models[row.name], progress)
        if sentence:
            failures.append(f"{row.name}: {sentence}")
        progress(row.name, None)
    with client.database.write() as session:
        now = table.pairs(session, name)
        for row in now:
            source = next(
                (other for other in now if _same(other)[1:] == _same(row)[1:] and other.result_key), None
            )
            if repeated.get(row.name) and row.result_key is None and source is not None:
                row.job_id, row.result_key = source.job_id, source.result_key
                row.model_hash = source.model_hash
    return failures


def _order(client: Client, row: StudyPairRow) -> None:
    owner = owner_of(row.study)
    if row.job_id is not None:
        try:
            if client.job(row.job_id).state not in (JobState.FAILED, JobState.DEAD, JobState.CANCELLED):
                return
        except NotFoundError:
            pass
    job = client.submit(
        owner,
        str(row.photo_key),
        row.style,
        PaintParams.parse(**row.params),
        source="cli",
        album=f"survey-{row.study}",
    )
    row.job_id = job.id
    with client.database.write() as session:
        session.get_one(StudyPairRow, row.id).job_id = job.id


def _follow(client: Client, row: StudyPairRow, model: str | None, progress: Progress) -> str | None:
    """Wait for a picture and bind it; a sentence when there is none."""
    last = None
    for job in client.watch(str(row.job_id)):
        last = job
        progress(row.name, job)
    if last is None or last.result_key is None:
        return (last and last.error) or "it was not painted; order it again with 'allaprima survey render'."
    if model and last.model_hash != model:
        return f"the study asks for the model {model[:12]}…, the workers paint with {str(last.model_hash)[:12]}…."
    if not client.blobs.share(last.result_key, owner_of(row.study), KEPT):
        return "its result is gone; order it again with 'allaprima survey render'."
    with client.database.write() as session:
        kept = session.get_one(StudyPairRow, row.id)
        kept.result_key, kept.model_hash = last.result_key, last.model_hash
        # As it was painted: defaults of parameters may change later.
        kept.params = last.params.model_dump(mode="json")
    return None


def open_study(client: Client, name: str) -> None:
    """Take ratings from now on; raises ``SurveyError`` while a picture is not painted."""
    with client.database.write() as session:
        row = table.find(session, name)
        missing = [pair.name for pair in table.pairs(session, name) if pair.result_key is None]
        if definition(row).imported:
            raise SurveyError("This survey was imported and has no pictures to show.", code="survey_state")
        if missing:
            raise SurveyError(
                f"{count(len(missing), 'picture is', 'pictures are')} not painted yet "
                f"({missing[0]} …); run 'allaprima survey render {name}'.",
                code="survey_state",
            )
        row.state, row.closed_at = str(StudyState.OPEN), None
        row.opened_at = row.opened_at or time.time()


def close_study(client: Client, name: str) -> None:
    """Take no more ratings; a closed study can be opened again."""
    with client.database.write() as session:
        row = table.find(session, name)
        row.state, row.closed_at = str(StudyState.CLOSED), time.time()


def delete_study(client: Client, name: str) -> None:
    """Delete a study with its pictures, raters and ratings."""
    with client.database.write() as session:
        table.find(session, name)
        session.execute(delete(StudyRow).where(StudyRow.name == name))
    client.delete_user_data(owner_of(name))


def exclude(client: Client, name: str, rater: str, reason: str | None) -> None:
    """Leave a rater (the hash in exports) out of the results for a ``reason``, or with ``None`` take them in again.

    Raises ``NotFoundError`` for a hash that no rater of the study has.
    """
    pseudonyms = Pseudonyms(client.database, client.settings)
    if reason is not None and not reason.strip():
        raise ParameterError("An exclusion needs a reason.")
    with client.database.write() as session:
        table.find(session, name)
        for key in session.scalars(select(RaterRow.rater).where(RaterRow.study == name)):
            if pseudonyms.public(name, key) == rater:
                break
        else:
            raise NotFoundError(f"The survey '{name}' has no rater '{rater}'.")
        if reason is None:
            mine = (ExclusionRow.study == name, ExclusionRow.rater == key)
            session.execute(delete(ExclusionRow).where(*mine))
        else:
            now = time.time()
            table.upsert(
                session, ExclusionRow, study=name, rater=key, reason=reason.strip()[:200], created_at=now
            )
