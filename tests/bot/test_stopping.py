"""A cancelled order whose painters have not stopped yet says so, whatever they report meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

from bot import status
from bot.texts import languages
from core.params import PaintParams
from worker.jobs import JobState, JobView


def job(progress: float, *, stopping: bool = True, state: JobState = JobState.RUNNING) -> JobView:
    return JobView(
        id="a" * 12,
        owner="tg:1",
        source="bot",
        state=state,
        params=PaintParams(),
        photo_key="0" * 64,
        style="gallery:woodcut",
        style_label="Woodcut",
        progress=progress,
        stopping=stopping,
        created_at=datetime.now(UTC),
    )


def test_progress_does_not_overwrite_the_cancelling():
    for texts in languages().values():
        word = texts.messages["cancelling"]
        assert status.text(texts, [job(0.2)]) == word
        assert status.text(texts, [job(0.2), job(1.0, stopping=False, state=JobState.DONE)]) == word
        assert word not in status.text(texts, [job(0.2), job(0.4, stopping=False)])
        assert word not in status.text(texts, [job(0.2, stopping=False)])
    # One edit when it begins, none for what is painted meanwhile.
    assert status.fingerprint([job(0.2, stopping=False)]) != status.fingerprint([job(0.2)])
    assert status.fingerprint([job(0.2)]) == status.fingerprint([job(0.9)])
