"""Painting inside a worker's child process: loaded methods, encoded photographs and styles kept for the
next job.

Torch, and with it CUDA, is imported and touched by the first painting, never before."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from core.errors import AllaPrimaError, Cancelled, ModelError, UnknownNameError
from core.memory import give_memory_back
from core.params import PaintParams
from worker.broker import Broker
from worker.plugins import load_extra_methods
from worker.settings import Settings

if TYPE_CHECKING:
    from core.images import Limits
    from core.methods.contract import Beginning, Encoded, Method, Step

    Watch = Callable[[Step], bool]

log = logging.getLogger(__name__)

FORGET = "forget"
"""Redis counter that advances when somebody's pictures must be forgotten."""

CONTENT_IDLE_SECONDS = 600.0
IDLE_CHECK_SECONDS = 5.0


class TooLargeError(AllaPrimaError):
    """A picture too large for the memory here, also at half the size."""

    code = "memory"


@dataclass
class StyleSource:
    """A style's picture: the SHA-256 of its bytes, and how to get them."""

    hash: str
    read: Callable[[], bytes]


@dataclass
class PaintInput:
    """One painting to make. Pictures are read only when no cache has what is made of them. The order of
    ``styles`` is that of the weights in ``params``, of ``masks``, which say where each paints, and of ``style_masks``, which
    part of its picture counts. ``watch`` sees the steps of an iterative method, and says ``False`` when the picture so far
    is to be the result; ``beginning``: where another process had come to."""

    photo_key: str
    read_photo: Callable[[], bytes]
    styles: Sequence[StyleSource]
    params: PaintParams
    progress: Callable[[float], None]
    masks: Sequence[Callable[[], bytes] | None] = ()
    style_masks: Sequence[Callable[[], bytes] | None] = ()
    watch: Watch | None = None
    beginning: Beginning | None = None


@dataclass
class Painting:
    """A finished painting, the photograph's longer side as it was sent, which caches had something for it (name to
    hit or miss), whether it ended before its time, and the file of the style that was learned for it."""

    image: Image.Image
    model_hash: str
    seconds: float
    photo_side: int = 0
    caches: dict[str, bool] = field(default_factory=dict)
    cut_short: bool = False
    learned: bytes | None = None


class ContentCache:
    """Encoded photographs, least recently used first, limited by bytes. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, ...], Encoded] = OrderedDict()
        self._used_at: dict[tuple[str, ...], float] = {}

    def get(self, key: tuple[str, ...]) -> Encoded | None:
        """The entry, now the most recently used."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._used_at[key] = time.monotonic()
                self._entries.move_to_end(key)
            return entry

    def put(self, key: tuple[str, ...], entry: Encoded) -> None:
        """Keep an entry if it fits, at the cost of the least recently used ones."""
        with self._lock:
            self._drop(key)
            if entry.nbytes > self.limit:
                return
            self._entries[key] = entry
            self._used_at[key] = time.monotonic()
            while self.nbytes > self.limit:
                dropped, _ = self._entries.popitem(last=False)
                del self._used_at[dropped]

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
        return sum(entry.nbytes for entry in self._entries.values())

    def clear(self, idle_seconds: float = 0.0) -> int:
        """Drop what was not used for this long; how many photographs that were."""
        before = time.monotonic() - idle_seconds
        with self._lock:
            idle = [key for key, used_at in self._used_at.items() if used_at <= before]
            for key in idle:
                self._drop(key)
        return len(idle)

    def _drop(self, key: tuple[str, ...]) -> None:
        self._entries.pop(key, None)
        self._used_at.pop(key, None)


class Engine:
    """The methods of one painting process with their caches."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        self.settings = settings
        self.broker = broker
        self.photos = ContentCache(int(settings.content_cache_mb * 2**20))
        self._methods: dict[str, Method] = {}
        self._in_use: dict[str, str | None] = {}
        self._loading = threading.Lock()
        self._forgotten = broker.cached(FORGET)

    def start(self) -> None:
        """Load the methods named by the setting, and look after the caches, in the background."""
        self._use_threads()
        threading.Thread(target=self._background, name="engine", daemon=True).start()

    def _background(self) -> None:
        for name in self.settings.preload:
            try:
                self.method(name)
            except AllaPrimaError as error:
                log.warning("%s is not loaded in advance: %s", name, error)
        while True:
            time.sleep(IDLE_CHECK_SECONDS)
            self.forget()

    def forget(self) -> None:
        """Drop photographs that were deleted anywhere, or not used for a while, and give their memory back."""
        counter = self.broker.cached(FORGET)
        dropped = self.photos.clear(0.0 if counter != self._forgotten else CONTENT_IDLE_SECONDS)
        self._forgotten = counter
        if dropped:
            give_memory_back()

    def method(self, name: str) -> Method:
        """A loaded method, with the weights in use now; raises ``UnknownNameError`` or ``ModelError``."""
        with self._loading:
            load_extra_methods(self.settings)
            from core import registry, weights

            spec = registry.method(name)
            try:
                in_use = weights.current(spec.weights).sha256
            except UnknownNameError:
                in_use = None  # a method of one's own without weights of ours
            if name not in self._methods or self._in_use[name] != in_use:
                self._use_threads()
                device = None if self.settings.device == "auto" else self.settings.device
                try:
                    self._methods[name] = registry.load(name, device)
                except ModelError as error:
                    if name not in self._methods:
                        raise
                    log.error("the newly published model is not used: %s", error)
                    return self._methods[name]
                self._in_use[name] = in_use
            return self._methods[name]

    def _use_threads(self) -> None:
        from core.device import use_threads

        use_threads(self.settings.threads, processes=self.settings.paint_concurrency)

    def paint(self, wanted: PaintInput) -> Painting:
        """Paint; when the memory does not suffice, once more at half the size.

        Raises ``PictureError``, ``ModelError``, ``Cancelled`` (out of the progress callback) and an error
        of code "memory"."""
        self.forget()
        # Here, too: the methods may have been loaded by another thread.
        self._use_threads()
        method = self.method(wanted.params.method)
        started = time.perf_counter()
        painting = Painting(Image.new("RGB", (1, 1)), method.model_hash, 0.0)
        try:
            self._paint(method, wanted, painting, 1.0)
        except Exception as error:
            if not _out_of_memory(error):
                raise
            log.warning("the memory does not suffice; painting at half the size")
            self._paint_half(method, wanted, painting)
        painting.seconds = time.perf_counter() - started
        return painting

    def _paint_half(self, method: Method, wanted: PaintInput, painting: Painting) -> None:
        self._free_memory()
        try:
            self._paint(method, wanted, painting, 0.5)
        except Exception as error:
            if not _out_of_memory(error):
                raise
            self._free_memory()
            raise TooLargeError(
                "This picture is too large for the memory here; please choose a smaller size."
            ) from error

    def _free_memory(self) -> None:
        import torch

        self.photos.clear()
        give_memory_back()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _paint(self, method: Method, wanted: PaintInput, painting: Painting, scale: float) -> None:
        """Fill in ``painting``: the method's steps, told and watched."""
        from core.methods.contract import PaintRequest

        request = PaintRequest(
            lambda: _open(wanted.read_photo()),
            [partial(_read, style) for style in wanted.styles],
            wanted.params,
            _masks(wanted.masks),
            _masks(wanted.style_masks, of_style=True),
            side_max=min(self.settings.max_side, method.spec.capabilities.side_max),
            scale=scale,
            beginning=wanted.beginning,
            progress=wanted.progress,
        )
        caches = _JobCaches(self, method, wanted, painting, scale)
        for step in method.steps(request, caches):
            if step.result is not None:
                painting.image, painting.learned = step.result, _made(step.learned)
                return
            wanted.progress(step.done)
            if step.preview is not None and wanted.watch is not None and not wanted.watch(step):
                painting.image, painting.cut_short = step.preview(), True
                painting.learned = _made(step.learned)
                return
        raise RuntimeError(f"'{method.spec.name}' ended without a painting")


class _JobCaches:
    """The caches as one job's painting sees them: ``core.methods.contract.Caches``."""

    def __init__(
        self, engine: Engine, method: Method, wanted: PaintInput, painting: Painting, scale: float
    ) -> None:
        self._engine, self._method, self._wanted = engine, method, wanted
        self._painting, self._scale = painting, scale

    def photo(self, encode: Callable[[], Encoded]) -> Encoded:
        wanted, photos = self._wanted, self._engine.photos
        key = (self._method.model_hash, wanted.photo_key, str(wanted.params.size), str(self._scale))
        entry = photos.get(key)
        self._painting.caches["content"] = entry is not None
        if entry is None:
            entry = encode()
            photos.put(key, entry)
        self._painting.photo_side = entry.original
        return entry

    def code(self, index: int, photo: Image.Image, params: PaintParams, encode: Callable[[], bytes]) -> bytes:
        wanted, broker, known = self._wanted, self._engine.broker, self._painting.caches
        variant = "plain"
        if params.keep_colors == "statistics":
            # Recoloured to this photograph: of use to its next painting only.
            variant = f"{wanted.photo_key}-{photo.width}x{photo.height}"
        key = f"style:{wanted.styles[index].hash}:{self._method.model_hash}:{variant}"
        code = broker.cached(key)
        known["style"] = code is not None and known.get("style", True)
        if code is None:
            code = encode()
            broker.cache(key, code, self._engine.settings.style_cache_days * 86400)
        return code


def _made(learned: Callable[[], bytes] | None) -> bytes | None:
    return None if learned is None else learned()


def _read(style: StyleSource) -> Image.Image:
    from core.learn.style import read_style

    return read_style(style.read(), _checked())


def _masks(
    reads: Sequence[Callable[[], bytes] | None], *, of_style: bool = False
) -> list[Callable[[], Image.Image] | None]:
    return [None if read is None else partial(_mask, read, of_style) for read in reads]


def _mask(read: Callable[[], bytes], of_style: bool) -> Image.Image:
    from core.images.masks import read_mask

    return read_mask(read(), _checked(), of_style=of_style)


def _checked() -> Limits:
    """For pictures that were checked with the upload's limits before they were stored."""
    from core.images import Limits

    return Limits(max_bytes=2**31)


def _open(data: bytes) -> Image.Image:
    from core.images import read_picture

    return read_picture(data, _checked())


def _out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, Cancelled):
        return False
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
