"""One slice of a training from the queue: claimed, worked, its checkpoint written, the next one enqueued.

Whatever ends a slice early (a kill, a reboot, a lost Redis) loses at most the steps since the last checkpoint: the rows
say what is to be done, the checkpoint says where."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select

from core.errors import AllaPrimaError
from worker import leases
from worker.broker import QueueError
from worker.jobs import JobState
from worker.store.database import clock
from worker.store.errors import StorageError
from worker.store.models import Job, Training
from worker.tasks import stopping
from worker.tasks.context import Context, get_context
from worker.training import table
from worker.training.faults import Elsewhere, Interrupted, Lost, is_full, sentence_of
from worker.training.folder import TrainingFolder
from worker.training.views import Phase, TrainingState, Wish

if TYPE_CHECKING:
    from worker.tasks.sessions import OpenSession

log = logging.getLogger(__name__)

SLICE_LIMIT_SECONDS = 1800.0
"""Far above what a slice takes, far below the time after which Redis would hand its message out again."""
BEAT_SECONDS = 0.25
YIELD_SECONDS = 10.0
"""Longest time that paintings in hand hold a training between two of its steps."""
RETRY_SECONDS = 2.0


def train(training_id: str, step: int) -> None:
    """The task. ``step``: that of the checkpoint when the message was sent; a message for any other is void."""
    context = get_context()
    lease = leases.new_lease()
    with context.database.write() as session:
        row = table.claim(session, training_id, step, lease, context.settings.lease_seconds)
    if row is None:
        log.info("training %s, step %d: nothing to do", training_id, step)
    else:
        Slice(context, row, lease).run()
    with context.database.write() as session:
        chosen = table.admit(context.database, session)
    for other, at in chosen:
        send(context, other, at)


def send(context: Context, training_id: str, step: int) -> None:
    """Enqueue a slice; while Redis is down housekeeping does it later."""
    try:
        context.broker.send_training(training_id, step)
    except QueueError:
        log.warning("the queue cannot be reached; training %s goes on later", training_id)


class Slice:
    """One attempt at one slice, with a thread that says that it is alive and hears whether it is to stop."""

    def __init__(self, context: Context, row: Training, lease: str) -> None:
        self.context, self.row, self.lease = context, row, lease
        self.settings = context.settings
        self.folder = TrainingFolder(context.settings, row.id)
        self.step = row.step
        self.values: dict[str, Any] = {}
        self._stop: Exception | None = None
        self._painting = False
        self._course: dict[str, Any] = {}
        self._step_of: Callable[[], int] | None = None
        self._began = self._beaten = self._stepped = time.monotonic()
        self._first = row.step
        self._ended = threading.Event()

    # the course ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work, and write down how it ended."""
        beating = threading.Thread(target=self._beat, name=f"beat-{self.row.id}", daemon=True)
        beating.start()
        try:
            self._work()
        except Exception as error:
            self._end_with(error)
        finally:
            self._ended.set()
            beating.join()

    def _work(self) -> None:
        self._make_sure_of_room()
        self.folder.tidy()
        match Phase(self.row.phase):
            case Phase.CHECK:
                from worker.tasks.sessions import check

                check(self)
                self.again("done", phase=str(Phase.TRAIN))
            case Phase.TRAIN:
                self._train()
            case Phase.PUBLISH:
                from worker.tasks.publish import publish

                sentence = publish(self)
                back = table.back_of(self.row)
                self._rest(back, "done", message=sentence, phase=str(Phase.TRAIN), announced_at=None)

    def _train(self) -> None:
        from worker.tasks.sessions import describe, finish, measure_models, open_session

        opened = open_session(self)
        trainer = opened.session.trainer
        self.follow(opened)
        try:
            finished = trainer.run(self.settings.train_slice_seconds / 60, progress=False)
        finally:
            self._unfollow(trainer.step)
        describe(self, opened)
        if self._stop is None and not stopping.asked():
            measure_models(self, opened)
        if trainer.rollbacks > self.row.rollbacks:
            self.values["message"] = (
                f"The loss exploded {trainer.rollbacks} of at most 3 times; the learning rate is now "
                f"{trainer.slowdown:g} of the recipe's."
            )
        self.values |= {"rollbacks": trainer.rollbacks, "seconds": trainer.seconds}
        if finished:
            finish(self, opened)
            ended = {"message": self.values.get("message"), "finished_at": clock(), "announced_at": None}
            self._rest(TrainingState.DONE, "done", speed=None, **ended)
        elif self._stop is not None:
            raise self._stop
        else:
            self.again("stopped" if stopping.asked() else "done")

    # between two steps -----------------------------------------------------------------------------------------

    def follow(self, opened: OpenSession) -> None:
        """Let the session's trainer ask this slice between steps and before it saves."""
        trainer = opened.session.trainer
        self._step_of = lambda: trainer.step
        self._began, self._first = time.monotonic(), trainer.step
        trainer.between = self.between
        # A holder that was silent for too long must not write over its successor's checkpoint.
        trainer.before_save = self.insist

    def _unfollow(self, step: int) -> None:
        self._step_of = None
        self.step = step

    def between(self) -> bool:
        """Whether to stop here. While somebody paints on this machine, wait: paintings come first."""
        if time.monotonic() - self._beaten > 0.7 * self.settings.lease_seconds:
            self.insist()
        while self._painting and time.monotonic() - self._stepped < YIELD_SECONDS:
            if self._stop is not None or stopping.asked():
                break
            time.sleep(0.02)
        self._stepped = time.monotonic()
        return self._stop is not None or stopping.asked()

    def look_up(self) -> None:
        """For long work without steps: raises when it is to stop."""
        if self._stop is not None:
            raise self._stop
        if stopping.asked():
            raise Interrupted()

    def course(self, doing: str, share: float) -> None:
        """Tell how far a publication has come: what is being done, and the share in [0, 1] that is done."""
        self._course = {"doing": doing, "share": round(min(1.0, share), 3)}

    def insist(self) -> None:
        """Make sure that the training is still ours; raises ``Lost`` otherwise."""
        with self.context.database.write() as session:
            mine, wish = table.beat(session, self.row, self.lease)
        self._beaten = time.monotonic()
        self._hear(mine, wish)
        if not mine:
            raise Lost()

    def _beat(self) -> None:
        pause = min(BEAT_SECONDS, self.settings.lease_seconds / 5)
        while not self._ended.wait(pause):
            values: dict[str, Any] = {}
            if (step_of := self._step_of) is not None:
                step, seconds = step_of(), time.monotonic() - self._began
                values = {"live_step": step}
                if step > self._first and seconds > 1.0:
                    values["speed"] = (step - self._first) / seconds
            if self._course:
                values["publish"] = {**self.row.publish, **self._course}
            try:
                with self.context.database.write() as session:
                    mine, wish = table.beat(session, self.row, self.lease, **values)
                    painting = select(Job.id).where(
                        Job.state == JobState.RUNNING,
                        Job.lease.startswith(f"{leases.machine()}|", autoescape=True),
                    )
                    self._painting = session.scalar(painting.limit(1)) is not None
            except StorageError as error:
                log.warning("training %s: %s", self.row.id, error)
                continue
            self._beaten = time.monotonic()
            self._hear(mine, wish)

    def _hear(self, mine: bool, wish: str | None) -> None:
        if not mine:
            self._stop = Lost()
        elif wish is not None:
            self._stop = Interrupted(wish)

    def _make_sure_of_room(self) -> None:
        place = self.settings.trainings
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free / 1e6
        if free < self.settings.train_min_free_mb:
            raise OSError(
                28, f"only {free:.0f} MB are free where {self.settings.train_min_free_mb:.0f} are needed"
            )

    # the end of a slice ----------------------------------------------------------------------------------------

    def _end_with(self, error: Exception) -> None:
        """Write down what ended a slice; if even that cannot be written, the lease runs out and others take over."""
        try:
            self._judge(error)
        except (AllaPrimaError, OSError):
            log.exception("training %s: the end of a slice could not be written", self.row.id)

    def _judge(self, error: Exception) -> None:
        name, step = self.row.name, self.step
        if isinstance(error, Lost):
            from worker.tasks.sessions import forget

            log.warning("training %s is not ours any more", self.row.id)
            forget()
        elif isinstance(error, Interrupted):
            if error.wish == Wish.CANCEL and self.row.phase == Phase.PUBLISH:
                self._rest(table.back_of(self.row), "stopped", **table.UNPUBLISHED)
            elif error.wish == Wish.CANCEL:
                self._rest(TrainingState.CANCELLED, "stopped", finished_at=clock(), message=None)
            elif error.wish == Wish.PAUSE:
                self._rest(TrainingState.PAUSED, "stopped", message=None)
            else:
                self.again("stopped")
        elif isinstance(error, Elsewhere):
            self._fault(str(error), end=TrainingState.PAUSED)
        elif is_full(error, self.settings.trainings):
            self.folder.tidy()
            sentence = (
                f"The disk is full at step {step}: make room in {self.settings.trainings} "
                f"({self.settings.train_min_free_mb:.0f} MB at least), then resume."
            )
            self._rest(TrainingState.PAUSED, "full", message=sentence, error_code="full", announced_at=None)
        elif isinstance(error, StorageError):
            self._fault(str(error))
        elif isinstance(error, AllaPrimaError):
            self._fail(str(error), error.code)
        else:
            if not isinstance(error, SoftTimeLimitExceeded):
                log.error("training %s (%s) failed at step %d", self.row.id, name, step, exc_info=error)
            self._fault(sentence_of(error, step))

    def _fail(self, sentence: str, code: str) -> None:
        if self.row.phase == Phase.PUBLISH:
            # The weights are as good as before; only the publication came to nothing.
            back = table.back_of(self.row)
            message = f"Not published: {sentence}"
            self._rest(
                back, "failed", message=message, error_code=code, phase=str(Phase.TRAIN), announced_at=None
            )
        else:
            ended = {"finished_at": clock(), "announced_at": None}
            self._rest(TrainingState.FAILED, "failed", message=sentence, error_code=code, **ended)

    def _fault(self, sentence: str, end: TrainingState = TrainingState.FAILED) -> None:
        """Something that may pass: try again a little later, and give up after a few times at the same step."""
        counted = table.count_fault(self.row)
        if counted["faults"] >= table.MAX_FAULTS:
            self.values |= counted
            ended = {"finished_at": clock()} if end is TrainingState.FAILED else {}
            self._rest(end, "failed", message=sentence, error_code="fault", announced_at=None, **ended)
            return
        later = clock() + RETRY_SECONDS * counted["faults"]
        message = f"{sentence} Tried again ({counted['faults']} of {table.MAX_FAULTS})."
        self._move(
            TrainingState.QUEUED, "failed", queued_at=later, not_before=later, message=message, **counted
        )

    def again(self, outcome: str, **values: Any) -> None:
        """The slice is over, the training is not: the next one is enqueued."""
        moved = {"queued_at": clock(), "faults": 0, "message": self.values.get("message"), **values}
        if self._move(TrainingState.QUEUED, outcome, **moved) is TrainingState.QUEUED:
            send(self.context, self.row.id, self.step)

    def _rest(self, state: TrainingState, outcome: str, **values: Any) -> None:
        self._move(state, outcome, **values)

    def _move(self, state: TrainingState, outcome: str, **values: Any) -> TrainingState | None:
        """The state that the training is in now; ``None`` when it was taken away meanwhile."""
        values = {"step": self.step, "live_step": self.step, **self.values, **values}
        note = values.get("message")
        with self.context.database.write() as session:
            mine = Training.lease == self.lease
            if state is TrainingState.QUEUED:
                # A wish that came after the last beat must not be lost with the slice.
                state = table.apply_wish(session, self.row.id, mine, state)
                if state is TrainingState.CANCELLED and self.row.phase == Phase.PUBLISH:
                    state, values = table.back_of(self.row), values | table.UNPUBLISHED
                elif state is TrainingState.CANCELLED:
                    values["finished_at"] = clock()
            moved = table.move(session, self.row.id, (TrainingState.RUNNING,), state, mine, **values)
            if moved:
                table.close_slice(session, self.row.id, self.row.slices, outcome, self.step, note)
        if not moved:
            log.warning("training %s was taken away meanwhile", self.row.id)
            return None
        seconds = time.monotonic() - self._began
        text = f"slice {self.row.slices}: steps {self.row.step} to {self.step} in {seconds:.1f} s, {outcome}"
        self._log(f"{text}: {note}" if note else text)
        log.info("training %s, %s; now %s", self.row.id, text, state)
        return state

    def _log(self, text: str) -> None:
        try:
            self.folder.say(text)
        except OSError:
            log.warning("training %s: the log cannot be written", self.row.id)
