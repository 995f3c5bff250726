"""From the database to the statistics and to the files that researchers take away: raters only as export hashes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.params import PaintParams
from core.survey.evaluate import Collected
from core.survey.results import Results
from core.survey.study import PAIR
from worker.store import surveys as table
from worker.store.database import Database
from worker.store.study_models import ExclusionRow, RaterRow, RatingRow, StudyPairRow
from worker.survey.pseudonyms import Pseudonyms
from worker.survey.rows import definition

COLUMNS = (
    "rater",
    "position",
    "item",
    "pair",
    "arm",
    "kind",
    "score",
    "front_end",
    "method",
    "params",
    "model_hash",
    "job",
)


def collect(session: Session, name: str, pseudonyms: Pseudonyms) -> Collected:
    """Everything the statistics need of a study."""
    row = table.find(session, name)
    study = definition(row)
    pairs = {pair.id: pair for pair in table.pairs(session, name)}
    raters = session.scalars(select(RaterRow).where(RaterRow.study == name)).all()
    public = {rater.rater: pseudonyms.public(name, rater.rater) for rater in raters}
    scores: dict[str, dict[str, int]] = {identity: {} for identity in public.values()}
    query = select(RatingRow.rater, RatingRow.pair_id, RatingRow.score).where(RatingRow.study == name)
    for rater, pair_id, score in session.execute(query):
        if rater in public:
            scores[public[rater]][pairs[pair_id].name] = score
    left_out = session.execute(
        select(ExclusionRow.rater, ExclusionRow.reason).where(ExclusionRow.study == name)
    )
    return Collected(
        study=study,
        title=study.text[study.languages[0]].title,
        state=row.state,
        orders={public[rater.rater]: tuple(pairs[key].name for key in rater.pairs) for rater in raters},
        scores=scores,
        titles={pair.name: title(pair) for pair in pairs.values()},
        metrics={pair.name: pair.metrics for pair in pairs.values() if pair.metrics},
        excluded={public[rater]: reason for rater, reason in left_out if rater in public},
        withdrawn=row.withdrawn,
        agreed=tuple(rater.consented_at for rater in raters if rater.source == "web"),
    )


def title(pair: StudyPairRow) -> str:
    """What a pair shows, in words."""
    return f"{pair.photo_title} × {pair.style_title}" if pair.style_title else pair.photo_title


def ratings(database: Database, name: str, pseudonyms: Pseudonyms) -> list[dict[str, Any]]:
    """One record (``COLUMNS``) per rating, by rater and position; neither times nor languages, which could help to find
    out who somebody is."""
    with database.read() as session:
        study = definition(table.find(session, name))
        pairs = {pair.id: pair for pair in table.pairs(session, name)}
        orders = {
            row.rater: row.pairs for row in session.scalars(select(RaterRow).where(RaterRow.study == name))
        }
        rows = session.scalars(select(RatingRow).where(RatingRow.study == name)).all()
    items = {item.name: item for item in study.items()}
    found = []
    for rating in rows:
        if rating.rater not in orders:
            continue
        pair = pairs[rating.pair_id]
        item = items[pair.name]
        values = (
            pseudonyms.public(name, rating.rater),
            orders[rating.rater].index(pair.id) + 1,
            pair.name,
            item.pair or "",
            item.arm or "",
            pair.kind,
            rating.score,
            rating.source,
            pair.params.get("method", ""),
            _params(pair),
            pair.model_hash or "",
            rating.job_id or "",
        )
        found.append(dict(zip(COLUMNS, values, strict=True)))
    return sorted(found, key=lambda record: (record["rater"], record["position"]))


def _params(pair: StudyPairRow) -> str:
    return json.dumps(PaintParams.restore(pair.params).stored(), sort_keys=True) if pair.params else ""


def export_csv(database: Database, name: str, pseudonyms: Pseudonyms) -> bytes:
    """All ratings as CSV, UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ratings(database, name, pseudonyms))
    return text.getvalue().encode()


def export_json(database: Database, name: str, pseudonyms: Pseudonyms, results: Results) -> bytes:
    """The study file, what was painted how, the results and all ratings as JSON, UTF-8."""
    with database.read() as session:
        study = definition(table.find(session, name))
        pictures = [
            {
                "item": pair.name,
                "kind": pair.kind,
                "shows": title(pair),
                "params": pair.params,
                "job": pair.job_id,
                "model_hash": pair.model_hash,
                "result_sha256": pair.result_key,
                "metrics": pair.metrics,
                "scored": pair.kind == PAIR,
            }
            for pair in table.pairs(session, name)
        ]
    whole = {
        "study": study.model_dump(mode="json"),
        "pictures": pictures,
        "results": asdict(results),
        "ratings": ratings(database, name, pseudonyms),
    }
    return json.dumps(whole, ensure_ascii=False, indent=1).encode()
