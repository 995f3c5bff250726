"""What may go wrong with the queue and its workers, each with the real thing: nothing is lost, nothing is painted
twice, nothing loops for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.worker.conftest import Service, children, hang, signal_and_wait, until
from worker.celery_app import make_app
from worker.embedded import QueueServer
from worker.jobs import JobState
from worker.leases import process_start
from worker.processes import stop_process


def test_child_killed(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    service.running(job)
    os.kill(service.child(), signal.SIGKILL)
    job = service.finish(job)
    assert (job.state, job.attempts) == (JobState.DONE, 2)


def test_worker_killed(service: Service, owner: str) -> None:
    """Another worker takes over long before Redis would hand the message out again."""
    job = service.order(owner, "mix-slow")
    queued = service.order(owner)
    service.running(job)
    child = service.child()
    signal_and_wait(service.workers[0], signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{child}"), "the end of the painting process")
    service.workers.clear()
    service.start_worker()
    job = service.finish(job, seconds=30)
    assert (job.state, job.attempts) == (JobState.DONE, 2)
    assert service.finish(queued).state is JobState.DONE
    # Its message was dropped, too: nothing comes back after the visibility timeout.
    until(lambda: not service.client.broker.present()[1], "an empty list of taken messages")


def test_silent_worker_is_given_up(service: Service, owner: str) -> None:
    """A worker that hangs as a whole (here: stopped) loses its job, and does not write over the result later."""
    job = service.order(owner, "mix-slow")
    service.running(job)
    stopped = service.workers[0]
    processes = [stopped.pid, *children(stopped.pid)]
    hang(service.settings, processes)
    try:
        service.start_worker()
        job = service.finish(job, seconds=40)
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    assert (job.state, job.attempts) == (JobState.DONE, 2)
    stop_process(stopped)
    after = service.client.job(job.id)
    assert (after.state, after.result_key) == (JobState.DONE, job.result_key)


def test_worker_terminated_finishes_its_job(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    queued = service.order(owner)
    service.running(job)
    assert signal_and_wait(service.workers[0], signal.SIGTERM) == 0
    job = service.client.job(job.id)
    assert (job.state, job.attempts) == (JobState.DONE, 1)
    assert service.client.job(queued.id).state is JobState.QUEUED
    service.workers.clear()
    service.start_worker()
    assert service.finish(queued).state is JobState.DONE


def test_queue_killed_and_restarted_with_its_file(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    queued = service.order(owner)
    service.running(job)
    service.kill_server()
    # Orders are taken while the queue is down.
    later = service.order(owner)
    assert not service.client.health()["ok"]
    service.start_server()
    jobs = [service.finish(each) for each in (job, queued, later)]
    assert [each.state for each in jobs] == [JobState.DONE] * 3
    assert jobs[0].attempts == 1
    assert service.events("content") == 3


def test_queue_lost_everything(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    queued = [service.order(owner) for _ in range(4)]
    service.running(job)
    service.kill_server()
    for file in (service.settings.data_dir / "queue").rglob("*"):
        if file.is_file() and file.name != "lock":
            file.unlink()
    service.start_server()
    jobs = [service.finish(each) for each in (job, *queued)]
    assert [each.state for each in jobs] == [JobState.DONE] * 5
    assert service.events("content") == 5


def test_delivered_twice(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    for _ in range(2):
        service.client.broker.send(job.id, "paint")
    service.running(job)
    service.client.broker.send(job.id, "batch")
    job = service.finish(job)
    after = service.finish(service.order(owner))
    assert (job.attempts, after.state) == (1, JobState.DONE)
    service.client.broker.send(job.id, "paint")
    assert service.finish(service.order(owner)).state is JobState.DONE
    assert service.events("decode") == 3
    assert service.client.job(job.id) == job


def test_poison_job_dies_after_three_attempts(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-crash")
    innocent = service.order(f"{owner}-2")
    job = service.finish(job)
    assert (job.state, job.attempts, job.error_code) == (JobState.DEAD, 3, "given_up")
    assert job.error is not None
    assert job.error.startswith("Painting this stopped the worker 3 times, so it was given up;")
    assert service.events("decode") - 1 <= 3
    assert service.finish(innocent).state is JobState.DONE
    until(lambda: service.client.broker.lengths()["paint"] == 0, "an empty queue")
    assert service.client.job(job.id) == job


def test_a_bug_is_tried_again_and_then_told(service: Service, owner: str) -> None:
    job = service.finish(service.order(owner, "mix-bug"))
    assert (job.state, job.attempts, job.error_code) == (JobState.DEAD, 3, "internal")
    assert job.error == "Something went wrong while painting; it was tried 3 times and then given up."
    assert "a bug of the tests" in service.log_file.read_text()


def test_a_message_of_an_unknown_job_does_no_harm(service: Service, owner: str) -> None:
    service.client.broker.send("nobody", "paint")
    assert service.finish(service.order(owner)).state is JobState.DONE


def test_two_workers_share_the_queue(service: Service, owner: str) -> None:
    service.start_worker()
    jobs = [service.order(owner, "mix-slow") for _ in range(2)]
    for job in jobs:
        service.running(job)
    assert [service.finish(job).state for job in jobs] == [JobState.DONE] * 2
    pids = {line.split()[1] for line in service.events_file.read_text().splitlines()}
    assert len(pids) == 2


def test_cancelled_while_its_worker_died(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    service.running(job)
    hang(service.settings, children(service.workers[0].pid))
    service.client.cancel(job.id, owner)
    signal_and_wait(service.workers[0], signal.SIGKILL)
    service.workers.clear()
    service.start_worker()
    job = service.finish(job, seconds=20)
    assert (job.state, job.attempts) == (JobState.CANCELLED, 1)
    # Nor does its message come back later.
    until(lambda: job.id not in service.client.broker.present()[1], "an end of the message")


def test_second_service_on_the_same_folder_uses_the_first_ones_queue(service: Service) -> None:
    second = QueueServer(service.settings)
    second.start()
    assert second.process is None
    second.stop()
    service.client.broker.ping()


def test_everything_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from worker.local import services\n"
        "from worker.settings import Settings\n"
        "from tests.worker.conftest import children\n"
        "settings = Settings(data_dir=Path(sys.argv[1]), preload=[])\n"
        "try:\n"
        "    with services(settings) as running:\n"
        "        print(running.server.pid, running.worker.pid, *children(running.worker.pid), flush=True)\n"
        "        while True:\n"
        "            time.sleep(0.2)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(3)\n"
    )
    # An interrupt that comes just before a sleep begins ends only after it (Python, of 4,500 tries 10): none is long.
    codes = {signal.SIGINT: 3, signal.SIGKILL: -signal.SIGKILL}
    parents = {
        number: subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / number.name)],
            stdout=subprocess.PIPE,
            stderr=(tmp_path / f"{number.name}.log").open("wb"),
        )
        for number in codes
    }
    for number, parent in parents.items():
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.stdout.close()
        assert len(pids) == 3
        try:
            code = signal_and_wait(parent, number)
        except subprocess.TimeoutExpired:
            code = None
        assert code == codes[number], (tmp_path / f"{number.name}.log").read_text()
        until(lambda pids=pids: not any(map(_alive, pids)), "the end of all children", seconds=20)


def _alive(pid: int) -> bool:
    return process_start(pid) is not None


def test_messages_of_others_in_the_queue_do_no_harm(service: Service, owner: str) -> None:
    """Whatever else lies there, from another version for example, lost jobs are still found and put back."""
    redis = service.client.broker.redis
    job = service.order(owner, "mix-slow")
    queued = service.order(owner)
    service.running(job)
    redis.delete("paint")
    make_app(service.settings).send_task("another.task", kwargs={"a": 1}, queue="paint")
    redis.hset("unacked", "nonsense", '[{"body": 1}, "", "paint"]')
    try:
        assert service.finish(queued).state is JobState.DONE
    finally:
        redis.hdel("unacked", "nonsense")
