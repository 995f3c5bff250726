"""Pictures the page shows, served straight from the store under signed links.

Nothing is copied into the page's own cache, so deleting one's data takes effect at once. A link names a job and
carries a signature over it; only a page that has checked the owner hands one out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError
from worker.private import private_folder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

    from core.images import Limits
    from worker.client import Client
    from worker.jobs import JobView

SHOWN_SIDE = 1600  # longest side of the pictures shown on the easel, in pixels
THUMB_SIDE = 320
TILE_SIDE = 320
DOWNLOADS = {"painting.png": "png", "full.jpg": "jpeg", "full.webp": "webp"}
"""Files of a painting in full size, and their formats; the first is the one offered at once."""
_FILES = (*DOWNLOADS, "painting.jpg", "so-far.jpg", "photo.jpg", "thumb.jpg", "photo-thumb.jpg")

SHARED = "learned"
"""The parameter of the page's address that brings a style which somebody shares."""


class Links:
    """Makes and checks the addresses of a job's pictures. ``key``: the secret the signatures are made with."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def in_folder(cls, folder: Path) -> Links:
        """With the key kept in ``folder``, so that links shown before a restart still work after it."""
        path = folder / "web.key"
        private_folder(folder)
        draft = folder / f"web.key.{os.getpid()}.{secrets.token_hex(4)}"
        if not path.exists():
            # Written whole under another name first: a second page starting now never reads half a key.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return cls(path.read_bytes())

    def sign(self, text: str) -> str:
        """64 hex digits that only a page of this service can make for ``text``; never equal to a picture's."""
        return hmac.new(self._key, b"text:" + text.encode(), hashlib.sha256).hexdigest()

    def _signature(self, job_id: str) -> str:
        return hmac.new(self._key, job_id.encode(), hashlib.sha256).hexdigest()[:40]

    def address(self, job_id: str, file: str) -> str:
        """Relative address of one of a job's pictures: those of ``DOWNLOADS`` (full size), ``painting.jpg``,
        ``so-far.jpg`` (of a job on the way), ``photo.jpg``, ``thumb.jpg``, ``photo-thumb.jpg``."""
        if file not in _FILES:
            raise ValueError(f"no such picture: {file}")
        return f"pictures/job/{job_id}/{self._signature(job_id)}/{file}"

    def allows(self, job_id: str, signature: str) -> bool:
        """Whether the signature belongs to the job; takes the same time for every wrong one."""
        return hmac.compare_digest(self._signature(job_id).encode(), signature.encode("utf-8", "replace"))

    def style_token(self, style_id: str) -> str:
        """What lets whoever has it use a learned style: its id, and a signature over it."""
        return f"{style_id}.{self.sign(f'learned:{style_id}')[:40]}"

    def shared_style(self, token: str) -> str | None:
        """The id of the style that a token is of; ``None`` for one that this service has not made."""
        style_id = token.partition(".")[0]
        good = hmac.compare_digest(self.style_token(style_id).encode(), token.encode("utf-8", "replace"))
        return style_id if good else None

    def style_address(self, style_id: str) -> str:
        """Relative address of a learned style's file."""
        return f"pictures/learned/{self.style_token(style_id)}/file.style"

    def share_address(self, style_id: str) -> str:
        """Relative address of the page that takes a learned style among the visitor's own."""
        return f"?{SHARED}={self.style_token(style_id)}"


def tile_address(style: str) -> str:
    """Relative address of a gallery style's small picture."""
    return f"pictures/style/{style}.jpg"


def download_name(job: JobView, file: str = "painting.png") -> str:
    """Name under which a finished painting is saved, made of safe characters only; ``file``: one of ``DOWNLOADS``."""
    return f"alla-prima-{plain(job.style_label) or 'painting'}-{job.id[:8]}.{file.rpartition('.')[2]}"


def plain(name: str) -> str:
    """A name in characters that are safe in a file's, 40 at most; maybe nothing is left of it."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:40]


def small_jpeg(data: bytes, side: int, limits: Limits) -> bytes:
    """A picture's bytes as a JPEG no longer than ``side`` pixels; raises ``PictureError``."""
    from core.images import small_jpeg

    return small_jpeg(data, side, limits)


def add_routes(app: FastAPI, client: Client, links: Links) -> None:
    """Serve ``/pictures/…``; a wrong signature, an unknown job and a deleted picture are all 404."""
    from starlette.responses import Response

    @lru_cache(maxsize=256)
    def tile(name: str) -> bytes:
        return small_jpeg(client.style_picture(f"gallery:{name}"), TILE_SIDE, client.limits)

    def answer(data: bytes, kind: str, *, attachment: str | None = None, public: bool = False) -> Response:
        headers = {
            "Cache-Control": "public, max-age=86400" if public else "private, max-age=3600",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if attachment:
            headers["Content-Disposition"] = f'attachment; filename="{attachment}"'
        return Response(data, media_type=kind, headers=headers)

    gone = Response("There is no such picture.", status_code=404, media_type="text/plain")

    @app.get("/pictures/style/{name}.jpg", include_in_schema=False)
    def style_tile(name: str) -> Response:
        try:
            return answer(tile(name), "image/jpeg", public=True)
        except AllaPrimaError:
            return gone

    @app.get("/pictures/learned/{token}/file.style", include_in_schema=False)
    def learned_style(token: str) -> Response:
        style_id = links.shared_style(token)
        try:
            name, data = client.style_file(style_id) if style_id is not None else ("", None)
        except AllaPrimaError:
            return gone
        return (
            gone if data is None else answer(data, "image/webp", attachment=f"{plain(name) or 'style'}.style")
        )

    @app.get("/pictures/job/{job_id}/{signature}/{file}", include_in_schema=False)
    def job_picture(job_id: str, signature: str, file: str) -> Response:
        if file not in _FILES or not links.allows(job_id, signature):
            return gone
        try:
            if file in DOWNLOADS:
                kind, name = DOWNLOADS[file], download_name(client.job(job_id), file)
                return answer(client.result_file(job_id, kind=kind), f"image/{kind}", attachment=name)
            if file in ("photo.jpg", "photo-thumb.jpg"):
                # Looking through what hangs there keeps no photo longer than its time.
                job, small = client.job(job_id), file == "photo-thumb.jpg"
                photo = client.picture(job.photo_key, job.owner, used=not small)
                side = THUMB_SIDE if small else SHOWN_SIDE
                return answer(small_jpeg(photo, side, client.limits), "image/jpeg")
            if file == "so-far.jpg":
                so_far = client.picture_so_far(job_id, side=SHOWN_SIDE)
                return gone if so_far is None else answer(so_far, "image/jpeg")
            side = THUMB_SIDE if file == "thumb.jpg" else SHOWN_SIDE
            return answer(client.preview(job_id, side=side), "image/jpeg")
        except AllaPrimaError:
            return gone
