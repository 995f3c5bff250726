"""Decoding apart from the process that serves people: in a child with little memory, little time and nothing to steal.

One child at a time decodes one picture at a time for a whole process. Its address space and its processor time are
limited, it knows none of the process's environment, and it answers with JSON and plain bytes. A child that needed much
memory, or has rested for a while, ends: the memory is given back for certain. Whatever a decoder does, the caller gets an
answer or a ``PictureError``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import AllaPrimaError, PictureError
from core.images.limits import (
    DEFAULT_LIMITS,
    Limits,
    damaged,
    too_much_memory,
    too_much_work,
)

BASE_BYTES = 400 << 20
"""Address space of a child for Python, its libraries and the file."""
BYTES_PER_PIXEL = 6
"""Address space for each pixel allowed. Of pictures of the largest size only WebP needs more than this and the base give:
its decoder holds three copies, which fit up to some 45 of 80 megapixels."""
WORK_SECONDS = 20
"""Processor time for one picture. The slowest honest ones, progressive JPEGs of 80 megapixels, take about four."""
WALL_SECONDS = 120.0
KEPT_BYTES = 160 << 20
"""A child whose memory has been larger than this ends after its answer."""
IDLE_SECONDS = 60.0
CHECKED_SIDE = 64
"""To see whether a picture can be read, its pixels are needed in small only."""

_HEAD = struct.Struct(">IQ")
_ROOT = Path(__file__).resolve().parents[2]


class DecoderError(AllaPrimaError):
    """The child cannot be started."""

    code = "decoder"


def check_picture(data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """Decode a picture to its end, apart. Raises what ``read_picture`` raises."""
    _decoder.ask(limits, {"side": CHECKED_SIDE}, data)


def small_jpeg(data: bytes, side: int, limits: Limits = DEFAULT_LIMITS, quality: int = 90) -> bytes:
    """A picture, read apart, as JPEG with a longest side of at most ``side`` pixels. Raises what ``read_picture`` raises."""
    return _decoder.ask(limits, {"side": side, "quality": quality}, data)[1]


def photo_metadata(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """``core.images.photo_metadata``, apart. Raises ``PictureError`` where the file is hostile."""
    return _decoder.ask(limits, {"metadata": True}, data)[1] or None


def transparency(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """``core.images.transparency.transparency``, apart, as PNG of mode ``L``. Raises ``PictureError`` where the file is
    hostile."""
    return _decoder.ask(limits, {"transparency": True}, data)[1] or None


def mask_file(data: bytes, limits: Limits = DEFAULT_LIMITS, *, of_style: bool = False) -> bytes:
    """A mask in the form in which it is kept: ``core.images.masks.read_mask``, apart, as PNG of mode ``L`` with a longest
    side of at most ``MASK_SIDE`` pixels. Raises ``PictureError``."""
    return _decoder.ask(limits, {"mask": {"of_style": of_style}}, data)[1]


# -- the caller's side ---------------------------------------------------------------------------------------


class Decoder:
    """The child of one process. Safe to use from several threads, which wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, limits: Limits, wish: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """The child's answer; raises ``PictureError``, or ``DecoderError`` where no child can be had."""
        request = wish | {"limits": asdict(limits), "seconds": WORK_SECONDS}
        with self._lock:
            rested = self._child is not None
            child = self._living(limits)
            try:
                answer, body = self._exchange(child, request, data)
            except (OSError, EOFError, ValueError):
                ending = self._ending(child)
                if not (rested and ending == 0):
                    raise _why(ending) from None
                # It went home just as the question came.
                child = self._living(limits)
                try:
                    answer, body = self._exchange(child, request, data)
                except (OSError, EOFError, ValueError):
                    raise _why(self._ending(child)) from None
            if answer.get("last"):
                self._ending(child)
        if "error" in answer:
            raise PictureError(answer["error"], code=answer["code"])
        return answer, body

    def close(self) -> None:
        """End the child, after the answer it is at; the next question starts another one."""
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._ending(self._child)

    def _living(self, limits: Limits) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            self._ending(self._child)
        if self._child is None:
            self._child = _start(BASE_BYTES + BYTES_PER_PIXEL * limits.max_pixels)
        return self._child

    @staticmethod
    def _exchange(
        child: subprocess.Popen[bytes], request: dict[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytes]:
        assert child.stdin is not None
        assert child.stdout is not None
        watch = threading.Timer(WALL_SECONDS, child.kill)
        watch.daemon = True
        watch.start()
        try:
            _send(child.stdin, request, data)
            return _receive(child.stdout)
        finally:
            watch.cancel()

    def _ending(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for a child that ends or has ended; its exit status, negative for a signal."""
        self._child = None
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            return child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def _start(memory: int) -> subprocess.Popen[bytes]:
    # No secrets, and no more threads than one: each would take address space.
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ
    }
    paths = [str(_ROOT), *(path for path in sys.path if path and path != str(_ROOT))]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "core.images.apart", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=kept | threads | {"PYTHONPATH": os.pathsep.join(paths)},
            cwd=_ROOT,
            start_new_session=True,
        )
    except OSError as error:
        raise DecoderError(
            f"Pictures cannot be read at the moment ({error.strerror}); please try again later."
        ) from None


def _why(ending: int) -> PictureError:
    """What to say of a picture that ended the child."""
    import signal

    stopped = {-getattr(signal, name) for name in ("SIGXCPU", "SIGKILL", "SIGALRM") if hasattr(signal, name)}
    return too_much_work() if ending in stopped else damaged()


_decoder = Decoder()
atexit.register(lambda: _decoder.close())


def _forget_child() -> None:
    """A forked process must not talk through its parent's pipes."""
    global _decoder
    _decoder = Decoder()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_child)


# -- both sides ----------------------------------------------------------------------------------------------


def _send(pipe: Any, message: dict[str, Any], data: bytes) -> None:
    head = json.dumps(message).encode()
    pipe.write(_HEAD.pack(len(head), len(data)) + head)
    pipe.write(data)
    pipe.flush()


def _receive(pipe: Any) -> tuple[dict[str, Any], bytes]:
    """The next message; raises ``EOFError`` at the end."""
    length, size = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    message = json.loads(_exactly(pipe, length))
    return message, _exactly(pipe, size)


def _exactly(pipe: BinaryIO, count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


# -- the child's side ----------------------------------------------------------------------------------------


def main() -> int:
    """Answer questions from stdin on stdout until there are none for a while."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not spoil an answer
    _confine(int(sys.argv[1]))
    from core.images import reading, writing  # noqa: F401 - before the first question comes

    while select.select([questions], [], [], IDLE_SECONDS)[0]:
        try:
            request, data = _receive(questions)
        except EOFError:
            break
        _allow_work(request["seconds"])
        answer, body = _answer(request, data)
        del data
        answer["peak"] = _memory_used()
        answer["last"] = answer["peak"] > KEPT_BYTES
        _send(answers, answer, body)
        if answer["last"]:
            break
    return 0


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    from core.images.masks import MASK_SIDE, read_mask
    from core.images.metadata import photo_metadata
    from core.images.reading import read_picture
    from core.images.transparency import transparency
    from core.images.writing import to_jpeg, to_png

    try:
        if "metadata" in request:
            return {}, photo_metadata(data, Limits(**request["limits"])) or b""
        if "transparency" in request:
            alpha = transparency(data, Limits(**request["limits"]))
            return {}, b"" if alpha is None else to_png(alpha)
        if "mask" in request:
            return {}, to_png(read_mask(data, Limits(**request["limits"]), side=MASK_SIDE, **request["mask"]))
        picture = read_picture(data, Limits(**request["limits"]), side=request["side"])
        body = to_jpeg(picture, quality=request["quality"]) if "quality" in request else b""
    except PictureError as error:
        return {"error": str(error), "code": error.code}, b""
    except MemoryError:
        scarce = too_much_memory()
        return {"error": str(scarce), "code": scarce.code}, b""
    return {}, body


def _confine(memory: int) -> None:
    with contextlib.suppress(ImportError):
        import resource

        for kind, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def _allow_work(seconds: int) -> None:
    """End this process by a signal when it has worked so much longer."""
    with contextlib.suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        until = int(used.ru_utime + used.ru_stime) + seconds + 1
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def _memory_used() -> int:
    """The most resident memory this process has had, in bytes; 0 where that is not told."""
    # Not from getrusage: its figure begins with the memory of the process that started this one.
    with contextlib.suppress(OSError, StopIteration), open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
