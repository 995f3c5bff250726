"""What the training panel's routes do, without HTTP: every answer is JSON that ``static/training.js`` draws."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from core import registry
from core.errors import AllaPrimaError, ParameterError
from webui.bodies import Body, Whole
from webui.training import curves

if TYPE_CHECKING:
    from worker.client import Client
    from worker.training import TrainingView
    from worker.training.service import TrainingService

OWNER = "web:operator"
LOG_LINES = 150
SLICES = 40
LISTED = 12

Text = Annotated[str, Field(max_length=400)]


def _places(value: object) -> object:
    if not isinstance(value, list) or not all(isinstance(one, str) and len(one) < 2000 for one in value):
        raise ValueError("a list of folders and archives is expected")
    return value


Places = Annotated[list[str], BeforeValidator(_places), Field(max_length=200)]
"""Folders, globs and archives of pictures."""


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="seconds")


def card(run: TrainingView) -> dict[str, Any]:
    """A training in the list."""
    return {
        "id": run.id,
        "name": run.name,
        "recipe": run.recipe["name"],
        "task": run.task,
        "state": run.state,
        "phase": run.phase,
        "wish": run.wish,
        "message": run.message,
        "step": run.step,
        "steps": run.steps,
        "progress": round(run.progress, 4),
        "speed": run.speed,
        "eta": run.eta_seconds,
        "doing": run.doing,
        "share": run.share,
        "versions": run.versions,
        "created": _time(run.created_at),
    }


class Start(Body):
    """A filled-in form; what its fields may hold, the recipe knows."""

    recipe: Text
    fields: dict[str, Any] | None = None
    content: Places
    style: Places
    name: Text | None = None
    encoder: Text | None = None
    start: Text | None = None


class Action(Body):
    """Something to be done with a training."""

    training: Text
    action: Text
    method: Text | None = None
    fields: dict[str, Any] | None = None


class Pictures(Body):
    """What a form says so far of the pictures, to be counted."""

    recipe: Text
    fields: dict[str, Any] | None = None
    content: Places
    style: Places


class Use(Body):
    """A version of a model to be put into use."""

    name: Text
    version: Whole


class TrainingApi:
    """Every method may block and runs in a thread."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def service(self) -> TrainingService:
        """What the worker offers."""
        return self.client.training

    def overview(self) -> dict[str, Any]:
        """All trainings, recipes, models and uploaded archives."""
        service = self.service
        runs = service.runs()
        recipes = [
            {"name": recipe.name, "summary": recipe.summary, "task": recipe.task, "steps": recipe.steps}
            for recipe in service.recipes()
        ]
        models = [
            {
                "name": version.name,
                "version": version.version,
                "title": version.title,
                "sha256": version.sha256,
                "active": version.active,
                "training": version.training,
                "created": _time(version.created_at),
            }
            for version in service.versions()
        ]
        methods = [{"name": spec.name, "title": spec.title} for spec in registry.quick_methods()]
        encoders = [f"model:{name}" for name in dict.fromkeys(str(model["name"]) for model in models)]
        encoders += [f"run:{run.id}" for run in runs if run.state == "done"]
        return {
            "runs": [card(run) for run in runs],
            "recipes": recipes,
            "models": models,
            "methods": methods,
            "uploads": service.archives.names(),
            "encoders": [{"value": value, "title": self._title(value, runs)} for value in encoders],
        }

    @staticmethod
    def _title(source: str, runs: list[TrainingView]) -> str:
        kind, _, name = source.partition(":")
        run = next((run for run in runs if run.id == name), None)
        return f"training {run.name} ({run.id})" if kind == "run" and run else f"model {name}, as in use"

    def form(self, recipe: str) -> dict[str, Any]:
        """A recipe's fields."""
        return {"fields": [field.model_dump() for field in self.service.form(recipe)]}

    def chart(
        self, training_id: str, width: int = curves.WIDTH, hidden: Collection[str] = ()
    ) -> dict[str, Any]:
        """A training's curves but those ``hidden``, drawn for a width in CSS pixels."""
        run = self.service.run(training_id)
        folder = self.service.folder(run.id)
        return curves.one(run, folder.curves(), folder.sheets(), width, hidden)

    def detail(
        self, training_id: str, width: int = curves.WIDTH, hidden: Collection[str] = ()
    ) -> dict[str, Any]:
        """One training with everything the panel shows of it; ``width`` and ``hidden`` as in ``chart``."""
        service = self.service
        run = service.run(training_id)
        folder = service.folder(run.id)
        logged, sheets = folder.curves(), folder.sheets()
        return card(run) | {
            "actions": run.actions,
            "form": [field.model_dump() for field in service.form_of(run.id)]
            if "resume" in run.actions
            else [],
            "method": service.method_of(run.task),
            "worker": run.worker,
            "seconds": run.seconds,
            "rollbacks": run.rollbacks,
            "slices": run.slices,
            "started": _time(run.started_at),
            "finished": _time(run.finished_at),
            "material": {
                kind: run.material.get(kind) for kind in ("content", "style", "vgg", "encoder", "start")
            },
            "record": {
                name: run.record.get(name)
                for name in (
                    "code",
                    "seed",
                    "hardware",
                    "torch",
                    "photos",
                    "styles",
                    "photos_fingerprint",
                    "styles_fingerprint",
                )
            },
            "recipe_fields": run.recipe,
            "names": curves.names(logged),
            "chart": curves.one(run, logged, sheets, width, hidden),
            "validation": folder.validation(),
            "reference": folder.reference(),
            "sheets": sheets,
            "check": {what: self._found(check) for what, check in folder.check().items()},
            "course": [part.model_dump(mode="json") for part in service.slices(run.id)[:SLICES]],
            "log": folder.log(LOG_LINES),
        }

    @staticmethod
    def _found(check: dict[str, Any]) -> dict[str, Any]:
        short = {kind: found[:LISTED] for kind, found in check.get("findings", {}).items() if found}
        return check | {"findings": short}

    def compare(self, one: str, other: str, width: int = curves.WIDTH) -> dict[str, Any]:
        """Two trainings side by side: lines of a table, and both curves, drawn for a width."""
        service = self.service
        runs = [service.run(one), service.run(other)]
        logged = [service.folder(run.id).curves() for run in runs]
        return {
            "runs": [card(run) for run in runs],
            "lines": [line.model_dump() for line in service.compare(one, other)],
            "chart": curves.both(runs, logged, width),
        }

    def start(self, content: Start) -> dict[str, Any]:
        """Hand in a training: recipe, its changed fields, where the pictures are."""
        recipe = self.service.change(content.recipe.strip(), content.fields or {})
        run = self.service.start(
            recipe,
            content.content,
            content.style,
            owner=OWNER,
            name=(content.name or "").strip(),
            encoder=(content.encoder or "").strip() or None,
            start=(content.start or "").strip() or None,
        )
        return {"id": run.id}

    def count(self, content: Pictures) -> dict[str, Any]:
        """Whether there are enough photos and styles, as far as that can be seen from here."""
        recipe = self.service.change(content.recipe.strip(), content.fields or {})
        found: dict[str, Any] = {}
        for what, places in (("photos", content.content), ("styles", content.style)):
            if not any(place.strip() for place in places):
                continue
            try:
                counted = self.service.count(recipe, places, what)
            except AllaPrimaError as error:
                found[what] = {"few": True, "sentence": str(error)}
            else:
                found[what] = {"few": counted.few, "sentence": counted.sentence}
        return found

    def act(self, content: Action) -> dict[str, Any]:
        """Pause, resume, cancel, publish or delete."""
        training_id, service = content.training.strip(), self.service
        if content.action == "resume":
            return card(service.resume(training_id, content.fields))
        if content.action == "publish":
            return card(service.publish(training_id, (content.method or "").strip() or None))
        actions = {
            "pause": service.pause,
            "cancel": service.cancel,
            "delete": service.delete,
        }
        if content.action not in actions:
            raise ParameterError("action: must be pause, resume, cancel, publish or delete.")
        return card(actions[content.action](training_id))

    def model(self, content: Use) -> dict[str, Any]:
        """Put a version of a model into use."""
        self.service.activate(content.name.strip(), content.version)
        return {}
