"""Painting inside a worker's child process: loaded methods, encoded photographs and styles kept for the
next job.

Torch, and with it CUDA, is imported and touched by the first painting, never before."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from core.errors import AllaPrimaError, Cancelled, ModelError, UnknownNameError
from core.memory import give_memory_back
from core.params import SIZE_MIN, PaintParams
from worker.broker import Broker
from worker.plugins import load_extra_methods
from worker.settings import Settings

if TYPE_CHECKING:
    from core.methods.base import Method

log = logging.getLogger(__name__)

FORGET = "forget"
"""Redis counter that advances when somebody's pictures must be forgotten."""

SMALL_PIXELS = 96 * 96
"""Up to this size one thread paints as fast as two, which take twice the processor time."""

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
class Order:
    """One painting to make. Pictures are read only when no cache has what is made of them. The order of
    ``styles`` is that of the weights in ``params``."""

    photo_key: str
    read_photo: Callable[[], bytes]
    styles: Sequence[StyleSource]
    params: PaintParams
    progress: Callable[[float], None]
    photo_side: int = 0


@dataclass
class Painting:
    """A finished painting, the photograph's longer side as it was sent, and which caches had something for it (name to
    hit or miss)."""

    image: Image.Image
    model_hash: str
    seconds: float
    photo_side: int = 0
    caches: dict[str, bool] = field(default_factory=dict)


@dataclass
class _Photo:
    image: Image.Image
    content: Any
    original: int
    used_at: float

    @property
    def nbytes(self) -> int:
        return int(self.content.nbytes) + self.image.width * self.image.height * 3


class ContentCache:
    """Encoded photographs, least recently used first, limited by bytes. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, ...], _Photo] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> _Photo | None:
        """The entry, now the most recently used."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                entry.used_at = time.monotonic()
                self._entries.move_to_end(key)
            return entry

    def put(self, key: tuple[str, ...], entry: _Photo) -> None:
        """Keep an entry if it fits, at the cost of the least recently used ones."""
        with self._lock:
            self._entries.pop(key, None)
            if entry.nbytes > self.limit:
                return
            self._entries[key] = entry
            while self.nbytes > self.limit:
                self._entries.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
        return sum(entry.nbytes for entry in self._entries.values())

    def clear(self, idle_seconds: float = 0.0) -> int:
        """Drop what was not used for this long; how many photographs that were."""
        before = time.monotonic() - idle_seconds
        with self._lock:
            idle = [key for key, entry in self._entries.items() if entry.used_at <= before]
            for key in idle:
                del self._entries[key]
        return len(idle)


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

    @staticmethod
    def _threads_for(photo: Image.Image) -> AbstractContextManager[None]:
        from core.device import one_thread

        return one_thread() if photo.width * photo.height <= SMALL_PIXELS else nullcontext()

    def paint(self, order: Order) -> Painting:
        """Paint; when the memory does not suffice, once more at half the size.

        Raises ``PictureError``, ``ModelError``, ``Cancelled`` (out of the progress callback) and an error
        of code "memory"."""
        self.forget()
        # Here, too: the methods may have been loaded by another thread.
        self._use_threads()
        method = self.method(order.params.method)
        started = time.perf_counter()
        painting = Painting(Image.new("RGB", (1, 1)), method.model_hash, 0.0)
        try:
            painting.image = self._paint(method, order, painting.caches, 1.0)
        except Exception as error:
            if not _out_of_memory(error):
                raise
            log.warning("the memory does not suffice; painting at half the size")
            painting.image = self._paint_half(method, order, painting.caches)
        painting.seconds = time.perf_counter() - started
        painting.photo_side = order.photo_side
        return painting

    def _paint_half(self, method: Method, order: Order, caches: dict[str, bool]) -> Image.Image:
        self._free_memory()
        try:
            return self._paint(method, order, caches, 0.5)
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

    def _paint(self, method: Method, order: Order, caches: dict[str, bool], scale: float) -> Image.Image:
        """``Method.stylize``, with what the caches have left out."""
        photo, params = self._photo(method, order, caches, scale)
        order.photo_side = photo.original
        order.progress(0.35)
        codes = [self._code(method, order, style, caches, photo.image, params) for style in order.styles]
        order.progress(0.45)
        with self._threads_for(photo.image):
            painted = method.paint(
                photo.image, photo.content, codes, params, lambda done: order.progress(0.45 + 0.5 * done)
            )
        order.progress(0.95)
        return painted

    def _photo(
        self, method: Method, order: Order, caches: dict[str, bool], scale: float
    ) -> tuple[_Photo, PaintParams]:
        """The photograph with its features, and the parameters with the size that is really painted."""
        key = (method.model_hash, order.photo_key, str(order.params.size), str(scale))
        entry = self.photos.get(key)
        caches["content"] = entry is not None
        if entry is not None:
            return entry, self._sized(order.params, entry.original, scale)
        original = _open(order.read_photo())
        params = self._sized(order.params, max(original.size), scale)
        image = method.prepare_photo(original, params)
        with self._threads_for(image):
            entry = _Photo(image, method.encode_content(image), max(original.size), time.monotonic())
        self.photos.put(key, entry)
        return entry, params

    def _sized(self, params: PaintParams, original: int, scale: float) -> PaintParams:
        """The parameters with ``size`` within the limit; ``original`` is the photograph's longest side."""
        side = min(params.size or original, self.settings.max_side)
        if scale != 1.0:
            side = max(SIZE_MIN, round(side * scale))
        size = None if params.size is None and side == original else side
        return params.model_copy(update={"size": size})

    def _code(
        self,
        method: Method,
        order: Order,
        style: StyleSource,
        caches: dict[str, bool],
        photo: Image.Image,
        params: PaintParams,
    ) -> bytes:
        variant = "plain"
        if params.keep_colors == "statistics":
            # Recoloured to this photograph: of use to its next painting only.
            variant = f"{order.photo_key}-{photo.width}x{photo.height}"
        key = f"style:{style.hash}:{method.model_hash}:{variant}"
        code = self.broker.cached(key)
        caches["style"] = code is not None and caches.get("style", True)
        if code is None:
            code = method.encode_style(method.prepare_style(_open(style.read()), photo, params))
            self.broker.cache(key, code, self.settings.style_cache_days * 86400)
        return code


def _open(data: bytes) -> Image.Image:
    """A picture that was checked with the upload's limits before it was stored."""
    from core.images import Limits, read_picture

    return read_picture(io.BytesIO(data), Limits(max_bytes=2**31))


def _out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, Cancelled):
        return False
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
