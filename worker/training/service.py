"""What front ends and the command line do with trainings: ``Client.training``. Imports no torch."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from core import registry, weights
from core.errors import AllaPrimaError, NotFoundError, ParameterError, UnknownNameError
from core.train.check import needed
from core.train.recipe import NetworkOptions, Recipe, load_recipe, recipes, restored, with_changes
from worker.broker import Broker, QueueError
from worker.jobs import new_id
from worker.settings import Settings
from worker.store.blobs import BlobStore
from worker.store.database import Database, change
from worker.store.models import ModelVersion, Training, TrainingSlice
from worker.training import form, published, table
from worker.training.archives import UPLOAD, Archives
from worker.training.counting import PictureCount, count_pictures
from worker.training.folder import Curves, TrainingFolder
from worker.training.record import Difference, code_version, compare
from worker.training.views import (
    RESUMABLE,
    UNFINISHED,
    Phase,
    SliceView,
    TrainingState,
    TrainingView,
    VersionView,
    Wish,
    moment,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from worker.training.form import FormField

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SHEET_SIDE = 2000
"""Longest side of a sheet sent to a chat, in pixels."""


class TrainingService:
    """Trainings of one service. Methods raise ``NotFoundError`` for ids nobody knows; sentences of all errors are fit
    to be shown. Who may call them is the caller's business: they are for operators."""

    def __init__(self, settings: Settings, database: Database, broker: Broker, blobs: BlobStore) -> None:
        self.settings, self.database, self.broker = settings, database, broker
        self.backend = blobs.backend
        self.archives = Archives(settings)

    # recipes

    def recipes(self) -> list[Recipe]:
        """The recipes that come with the program."""
        return [load_recipe(name) for name in recipes()]

    def form(self, recipe: str) -> list[form.FormField]:
        """A recipe's fields, filled in; raises ``UnknownNameError``."""
        if recipe not in recipes():
            raise UnknownNameError("recipe", recipe, recipes())
        return form.fields(load_recipe(recipe))

    def change(self, recipe: str, given: dict[str, Any]) -> Recipe:
        """A recipe with the values of a filled-in form; raises ``ParameterError``."""
        if recipe not in recipes():
            raise UnknownNameError("recipe", recipe, recipes())
        return load_recipe(recipe, **form.changes(load_recipe(recipe), given))

    def form_of(self, training_id: str) -> list[FormField]:
        """What may be changed of a training when it is resumed, filled in with what it goes by."""
        found = form.fields(restored(self.run(training_id).recipe))
        return [field for field in found if field.key in form.AT_RESUME]

    # starting

    def start(
        self,
        recipe: Recipe,
        content: Sequence[str],
        style: Sequence[str],
        *,
        owner: str,
        name: str = "",
        vgg: str | None = None,
        encoder: str | None = None,
        start: str | None = None,
    ) -> TrainingView:
        """Hand in a training. ``content``, ``style``: folders, archives or globs as the workers see them, or
        "upload:NAME"; ``vgg``: see ``core.train.session.load_teacher``; ``encoder``, ``start``: a safetensors file,
        "run:ID" or "model:NAME". The pictures are checked by the worker. Raises ``ParameterError``."""
        photos = self._places(content, "photos")
        styles = self._places(style, "styles") if recipe.takes_styles else []
        for what, places in (("photos", photos), ("styles", styles)):
            if places:
                self.count(recipe, places, what).demand()
        material = {
            "content": photos,
            "style": styles,
            "vgg": vgg or self.settings.train_vgg,
            "encoder": self._network_file(encoder) if encoder else self._fitting_encoder(recipe),
            "start": self._network_file(start) if start else None,
        }
        now = time.time()
        row = Training(
            id=new_id(),
            name=(name.strip() or recipe.name)[:80],
            owner=owner,
            recipe=recipe.model_dump(mode="json"),
            material=material,
            state=str(TrainingState.WAITING),
            phase=str(Phase.CHECK),
            steps=recipe.steps,
            record={"seed": recipe.seed, "code": code_version()},
            publish={},
            created_at=now,
        )
        with self.database.write() as session:
            session.add(row)
            session.flush()
            chosen = table.admit(self.database, session)
        self._send(chosen)
        return self.run(row.id)

    def _places(self, given: Sequence[str], what: str) -> list[str]:
        found = [place.strip() for place in given if place.strip()]
        if not found:
            raise ParameterError(f"The {what} are missing: name a folder or an archive.", code=what)
        return [
            str(self.archives.path(place.removeprefix(UPLOAD))) if place.startswith(UPLOAD) else place
            for place in found
        ]

    def count(self, recipe: Recipe, places: Sequence[str], what: str) -> PictureCount:
        """How many pictures there are for a recipe, as far as this machine can see the places, which are the workers'.
        Raises ``ParameterError`` for archives that cannot be read, ``NotFoundError`` for uploads that are not there."""
        return count_pictures(
            [str(place) for place in self._places(places, what)], what, needed(recipe, what)
        )

    def _network_file(self, source: str) -> str:
        kind, _, name = source.partition(":")
        if kind == "run":
            return str(TrainingFolder(self.settings, self.run(name).id).path / "weights.safetensors")
        if kind == "model":
            return str(weights.current(name).path)
        return source

    def _fitting_encoder(self, recipe: Recipe) -> str | None:
        """The encoder of a model in use, for a recipe that freezes one of the same sizes."""
        training = registry.trainings().get(recipe.task)
        name = training.encoders.get(recipe.network.kind) if training is not None else None
        if name is None or not recipe.freeze_encoder or name not in weights.manifest():
            return None
        entry, wanted = weights.current(name), recipe.network.model_dump(mode="json")
        theirs = NetworkOptions().model_dump(mode="json") | entry.network
        fits = all(theirs[part] == wanted[part] for part in ("widths", "depths", "pool_first", "ratio"))
        return str(entry.path) if fits else None

    # looking

    def run(self, training_id: str) -> TrainingView:
        """A training by its id, or the only one whose id begins so, or the newest of that name."""
        with self.database.read() as session:
            row = session.get(Training, training_id)
            if row is None and training_id:
                begun = session.scalars(
                    select(Training).where(Training.id.startswith(training_id, autoescape=True)).limit(2)
                )
                found = list(begun)
                named = (
                    select(Training).where(Training.name == training_id).order_by(Training.created_at.desc())
                )
                row = found[0] if len(found) == 1 else session.scalars(named.limit(1)).first()
            if row is None:
                raise NotFoundError(
                    f"There is no training '{training_id}'; 'allaprima training list' shows them."
                )
            return self._views(session, [row])[0]

    def runs(self, limit: int = 50) -> list[TrainingView]:
        """Trainings, newest first."""
        query = select(Training).order_by(Training.created_at.desc(), Training.id).limit(limit)
        with self.database.read() as session:
            return self._views(session, session.scalars(query).all())

    def _views(self, session: Session, rows: Sequence[Training]) -> list[TrainingView]:
        ids = [row.id for row in rows]
        named: dict[str, list[str]] = {}
        for version in session.scalars(select(ModelVersion).where(ModelVersion.training.in_(ids))):
            named.setdefault(str(version.training), []).append(f"{version.name} {version.version}")
        held: dict[str, str] = {}
        last = select(TrainingSlice).where(TrainingSlice.training.in_(ids)).order_by(TrainingSlice.number)
        for row in session.scalars(last):
            held[row.training] = row.worker
        return [_view(row, named.get(row.id, []), held.get(row.id)) for row in rows]

    def slices(self, training_id: str) -> list[SliceView]:
        """The tasks of a training, newest first."""
        query = select(TrainingSlice).where(TrainingSlice.training == training_id)
        with self.database.read() as session:
            rows = session.scalars(query.order_by(TrainingSlice.number.desc())).all()
        return [
            SliceView(
                number=row.number,
                phase=row.phase,
                worker=_machine(row.worker),
                first_step=row.first_step,
                last_step=row.last_step,
                outcome=row.outcome,
                note=row.note,
                started_at=moment(row.started_at),
                finished_at=moment(row.finished_at),
            )
            for row in rows
        ]

    def folder(self, training_id: str) -> TrainingFolder:
        """The files of a training: curves, sheets, log."""
        return TrainingFolder(self.settings, self.run(training_id).id)

    def watch(self, training_id: str, timeout: float | None = None) -> Iterator[TrainingView]:
        """The training as it stands, then again at every change until it rests or ``timeout`` seconds are over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        shown = self.run(training_id)
        yield shown
        while not (shown.ended or shown.state is TrainingState.PAUSED):
            if deadline is not None and time.monotonic() >= deadline:
                return
            time.sleep(
                POLL_SECONDS
                if deadline is None
                else min(POLL_SECONDS, max(0.01, deadline - time.monotonic()))
            )
            view = self.run(shown.id)
            if view.model_copy(update={"eta_seconds": shown.eta_seconds}) != shown:
                shown = view
                yield shown

    def compare(self, one: str, other: str) -> list[Difference]:
        """Two trainings side by side."""
        runs = (self.run(one), self.run(other))
        folders = tuple(TrainingFolder(self.settings, run.id) for run in runs)
        curves: tuple[Curves, Curves] = (folders[0].curves(), folders[1].curves())
        return compare(runs, curves, (folders[0].validation(), folders[1].validation()))

    def pictures(self, training_id: str) -> list[bytes]:
        """The curve and the last sheet, as far as there are any, as PNG and JPEG files fit for a chat."""
        from core.images import OWN, read_picture, thumbnail, to_jpeg
        from worker.training.plots import curve_png

        run, folder = self.run(training_id), self.folder(training_id)
        found: list[bytes | None] = []
        try:
            found.append(curve_png(folder.curves(), run.name, run.steps))
        except AllaPrimaError as error:
            log.warning("a training's curve is not drawn: %s", error)
        for step in folder.sheets()[-1:]:
            sheet = read_picture(folder.sheet(step), OWN)
            found.append(to_jpeg(thumbnail(sheet, SHEET_SIDE) if max(sheet.size) > SHEET_SIDE else sheet))
        return [picture for picture in found if picture is not None]

    # steering

    def pause(self, training_id: str) -> TrainingView:
        """Let a training rest; one that a worker holds stops after its present step."""
        return self._request(training_id, Wish.PAUSE)

    def cancel(self, training_id: str) -> TrainingView:
        """End a training; its files stay."""
        return self._request(training_id, Wish.CANCEL)

    def _request(self, training_id: str, wish: Wish) -> TrainingView:
        run = self.run(training_id)
        if wish.value not in run.actions:
            raise ParameterError(
                f"The training '{run.name}' is {run.state}; there is nothing to {wish.value}."
            )
        with self.database.write() as session:
            table.request(session, run.id, wish)
            chosen = table.admit(self.database, session)
        self._send(chosen)
        return self.run(run.id)

    def resume(self, training_id: str, fields: dict[str, Any] | None = None) -> TrainingView:
        """Go on with a training that was paused or has failed, from its checkpoint. ``fields``: what is to be changed, of
        ``form_of``. Raises ``ParameterError``."""
        run = self.run(training_id)
        changed = self._changed(run, fields or {})
        if changed and run.state not in RESUMABLE:
            raise ParameterError("Settings can be changed once the training rests; pause it first.")
        if run.wish == Wish.PAUSE:
            with self.database.write() as session:
                change(session, update(Training).where(Training.id == run.id).values(wish=None))
            return self.run(run.id)
        fresh = {"message": None, "error_code": None, "faults": 0, "not_before": 0.0, "finished_at": None}
        fresh |= changed
        with self.database.write() as session:
            if not table.move(session, run.id, RESUMABLE, TrainingState.WAITING, announced_at=None, **fresh):
                raise ParameterError(f"The training '{run.name}' is {run.state}; there is nothing to resume.")
            chosen = table.admit(self.database, session)
        self._send(chosen)
        return self.run(run.id)

    @staticmethod
    def _changed(run: TrainingView, given: dict[str, Any]) -> dict[str, Any]:
        """The columns of a training that goes on with other settings."""
        recipe = restored(run.recipe)
        if fixed := sorted(set(given) - form.AT_RESUME):
            raise ParameterError(
                f"{fixed[0]}: this cannot be changed any more; start a new training from its weights."
            )
        changes = form.changes(recipe, given)
        if not changes:
            return {}
        recipe = with_changes(recipe, **changes)
        if recipe.steps <= run.step:
            raise ParameterError(
                f"steps: the training has already made {run.step}; give it more.", code="field:steps"
            )
        return {"recipe": recipe.model_dump(mode="json"), "steps": recipe.steps}

    def delete(self, training_id: str) -> TrainingView:
        """Delete a training that rests, with its files and the uploaded archives that no other training names; what was
        published of it stays. Returns it as it was."""
        run = self.run(training_id)
        if "delete" not in run.actions:
            raise ParameterError(f"The training '{run.name}' is {run.state}; cancel it before you delete it.")
        folder = TrainingFolder(self.settings, run.id).path
        with self.database.write() as session:
            others = session.execute(
                select(Training.name, Training.state, Training.material).where(Training.id != run.id)
            )
            named = set()
            for name, state, material in others.all():
                named.update([*material["content"], *material["style"]])
                starts = [material.get(key) for key in ("encoder", "start")]
                if state in UNFINISHED and any(path and Path(path).is_relative_to(folder) for path in starts):
                    raise ParameterError(
                        f"The training '{name}' starts from its weights; let that one end first."
                    )
            if not table.delete(session, run.id):
                raise ParameterError(f"The training '{run.name}' does not rest any more.")
        shutil.rmtree(folder, ignore_errors=True)
        self.archives.drop({*run.material["content"], *run.material["style"]} - named)
        return run

    def publish(self, training_id: str, method: str | None = None) -> TrainingView:
        """Evaluate a training's weights, write the card and put them into use as the next version of a method's
        model; done by a worker. ``method``: a registered one; the one named like the recipe's task unless given.
        Raises ``ParameterError`` or ``UnknownNameError``."""
        run = self.run(training_id)
        spec = registry.method(method or self.method_of(run.task))
        if not run.publishable:
            if run.state not in (TrainingState.DONE, TrainingState.PAUSED):
                reason = f"The training '{run.name}' is {run.state}; pause it or let it end first."
            elif not run.step:
                reason = f"The training '{run.name}' has not made a step yet."
            else:
                reason = "Only whole networks can be published, not a distillation."
            raise ParameterError(reason)
        wanted = {"method": spec.name, "weights": spec.weights, "back": str(run.state)}
        states = (TrainingState.DONE, TrainingState.PAUSED)
        with self.database.write() as session:
            values = {"phase": str(Phase.PUBLISH), "publish": wanted, "message": None, "faults": 0}
            if not table.move(session, run.id, states, TrainingState.WAITING, **values):
                raise ParameterError(f"The training '{run.name}' does not rest any more.")
            chosen = table.admit(self.database, session)
        self._send(chosen)
        return self.run(run.id)

    @staticmethod
    def method_of(task: str) -> str:
        """The method that weights of a task are for; the task's own name where none is trained by it."""
        methods = registry.methods()
        return next((spec.name for spec in methods if task in [one.task for one in spec.trainings]), task)

    def _send(self, chosen: Sequence[tuple[str, int]]) -> None:
        for training_id, step in chosen:
            try:
                self.broker.send_training(training_id, step)
            except QueueError:
                # The row says that it is queued; housekeeping sends it when the queue is back.
                return

    # models

    def versions(self, name: str | None = None) -> list[VersionView]:
        """Published models, newest first, the shipped ones being version 0."""
        with self.database.read() as session:
            return published.versions(session, name)

    def activate(self, name: str, version: int) -> list[VersionView]:
        """Put a version of a model into use (0: the shipped one); workers follow within seconds."""
        with self.database.write() as session:
            self.database.lock(session, "models")
            published.activate(session, name, version)
        return self.versions(name)

    def rollback(self, name: str) -> list[VersionView]:
        """Back to the version before the one in use."""
        with self.database.write() as session:
            self.database.lock(session, "models")
            published.activate(session, name, published.previous(session, name))
        return self.versions(name)

    def model_file(self, name: str, version: int, suffix: str) -> bytes:
        """A published model's card (".md"), sheet (".webp") or weights (".safetensors"); raises ``NotFoundError``."""
        with self.database.read() as session:
            row = session.get(ModelVersion, (name, version))
        key = row.record["files"].get(name + suffix) if row is not None else None
        data = self.backend.read(key) if key is not None else None
        if data is None:
            raise NotFoundError(f"There is no such file of the model '{name}', version {version}.")
        return data

    # news for operators

    def unannounced(self) -> list[TrainingView]:
        """Trainings that ended, failed or were paused by the disk and that nobody was told about."""
        states = (TrainingState.DONE, TrainingState.FAILED, TrainingState.PAUSED)
        unannounced = Training.state.in_(states), Training.announced_at.is_(None)
        with self.database.read() as session:
            rows = session.scalars(
                select(Training).where(*unannounced).order_by(Training.created_at).limit(50)
            ).all()
            return [view for view in self._views(session, rows) if view.message or view.ended]

    def mark_announced(self, training_id: str) -> bool:
        """Note that operators were told; ``False`` when somebody else was quicker."""
        with self.database.write() as session:
            mine = (Training.id == training_id, Training.announced_at.is_(None))
            return change(session, update(Training).where(*mine).values(announced_at=time.time())) == 1


def _view(row: Training, versions: list[str], worker: str | None) -> TrainingView:
    running = row.state == TrainingState.RUNNING
    step = row.live_step if running else row.step
    eta = (row.steps - step) / row.speed if row.speed and row.state in table.ACTIVE else None
    return TrainingView(
        id=row.id,
        name=row.name,
        owner=row.owner,
        recipe=row.recipe,
        material=row.material,
        state=TrainingState(row.state),
        phase=Phase(row.phase),
        wish=row.wish,
        message=row.message,
        error_code=row.error_code,
        step=step,
        steps=row.steps,
        speed=row.speed,
        seconds=row.seconds,
        eta_seconds=eta,
        rollbacks=row.rollbacks,
        slices=row.slices,
        worker=_machine(worker) if worker else None,
        record=row.record,
        doing=row.publish.get("doing") if row.phase == Phase.PUBLISH else None,
        share=row.publish.get("share") if row.phase == Phase.PUBLISH else None,
        versions=versions,
        created_at=moment(row.created_at),
        started_at=moment(row.started_at),
        finished_at=moment(row.finished_at),
    )


def _machine(lease: str) -> str:
    """The host's name in a lease."""
    name = lease.split("|")[0]
    return name.rsplit(".", 2)[0] if name.count(".") >= 2 else name
