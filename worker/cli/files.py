"""Which photos are painted, where the results go, and writing them: shared by ``stylize`` and ``submit``."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, ParameterError, PictureError, UnknownNameError
from core.specs import MASKS, MethodSpec
from core.words import count, shown

if TYPE_CHECKING:
    import argparse

    from PIL import Image

    from worker.cli.show import Board

WRITTEN = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
"""Endings a result may have, and their formats. PNG and WebP are written without loss."""


NAME_BYTES = 255
"""Longest name of a file on the usual file systems."""
NAMED = 3


@dataclass(frozen=True)
class Task:
    """One photo and the file its painting goes to."""

    photo: Path
    out: Path


def plan(photos: Sequence[str], styles: Sequence[str], out: str) -> list[Task]:
    """Decide for every photo where its painting is written; folders stand for the pictures in them.

    One photo and an ``out`` with an ending: that file. Otherwise ``out`` is a folder and gets
    ``<photo's name>.png``, with ``-2``, ``-3`` … where two photos share a name or a picture given would be
    overwritten. Raises ``ParameterError`` or ``PictureError`` for what cannot be meant.
    """
    from core.images import picture_files, refuse_address

    found: list[Path] = []
    folder_given = len(photos) > 1
    for name in photos:
        refuse_address(name)
        path = Path(name).expanduser()
        if path.is_dir():
            folder_given = True
            inside = picture_files(path)
            if not inside:
                raise PictureError(
                    f"The folder '{path}' holds no pictures; name another one.", code="missing"
                )
            found += inside
        else:
            found.append(path)
    target = Path(out).expanduser()
    inputs = {_identity(path) for path in (*found, *(Path(style).expanduser() for style in styles))}
    if folder_given or target.is_dir() or out.endswith(("/", os.sep)):
        return _into_folder(found, target, inputs)
    if target.suffix.lower() not in WRITTEN:
        raise ParameterError(
            f"'{out}' has no ending of a picture; name it .png, .jpg or .webp, or give a folder."
        )
    if _identity(target) in inputs:
        raise ParameterError(
            f"'{out}' is one of the pictures given and is never overwritten; choose another name."
        )
    return [Task(found[0], target)]


def _into_folder(photos: Iterable[Path], folder: Path, inputs: set[str]) -> list[Task]:
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"'{folder}' is a file, and several photos need a folder; choose another name.")
    if not folder.exists() and folder.suffix.lower() in WRITTEN:
        raise ParameterError(
            f"Several photos need a folder, and '{folder}' looks like a file; leave the ending out."
        )
    taken, tasks = set(inputs), []
    for photo in photos:
        number, out = 1, folder / _named(photo.stem, ".png")
        while _identity(out) in taken:
            number += 1
            out = folder / _named(photo.stem, f"-{number}.png")
        taken.add(_identity(out))
        tasks.append(Task(photo, out))
    return tasks


def _named(stem: str, ending: str) -> str:
    """``stem`` and ``ending``, the stem cut so that the file system takes the name."""
    room = NAME_BYTES - len(os.fsencode(ending))
    whole = os.fsencode(stem)
    if len(whole) <= room:
        return stem + ending
    # A character that is cut through goes as a whole.
    return whole[:room].decode("utf-8", "ignore") + ending


class Tally:
    """What became of a run over several photos or a folder: painted, left out and why, failed. Used as a context, it ends
    with one line of that on stderr; a single photo says all there is to say itself, and so does what ended a run before
    its first picture."""

    def __init__(self, photos: Sequence[str]) -> None:
        folders = [path for path in (Path(name).expanduser() for name in photos) if path.is_dir()]
        self.several = len(photos) > 1 or bool(folders)
        self.left_out = dict(entry for folder in folders for entry in left_out(folder))
        self.painted = 0
        self.failed: list[str] = []

    def __enter__(self) -> Tally:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        nothing_yet = kind is not None and not (self.painted or self.failed)
        if self.several and not nothing_yet:
            print(shown(f"allaprima: {self.line()}"), file=sys.stderr, flush=True)

    def fail(self, photo: Path, error: AllaPrimaError, board: Board) -> None:
        """A photo was not painted. In a terminal that is said at once, else in the last line."""
        self.failed.append(f"{photo.name}: {str(error).rstrip('.')}")
        if board.live or not self.several:
            board.complain(f"allaprima: {photo}: {error}")

    @property
    def code(self) -> int:
        """The exit code: 0 when every picture was painted. Files that are no pictures are nothing to worry about."""
        return 2 if self.failed or any(reason in WORRYING for reason in self.left_out.values()) else 0

    def line(self) -> str:
        """The last line of a run."""
        parts = [count(self.painted, "picture") + " painted"]
        if self.left_out:
            reasons = []
            for reason in dict.fromkeys(self.left_out.values()):
                names = [path.name for path, why in self.left_out.items() if why == reason]
                more = ", …" if len(names) > NAMED else ""
                reasons.append(f"{len(names)} {reason}: {', '.join(sorted(names)[:NAMED])}{more}")
            parts.append(f"{len(self.left_out)} left out ({'; '.join(reasons)})")
        if self.failed:
            parts.append(f"{len(self.failed)} failed ({'; '.join(self.failed)})")
        return ", ".join(parts) + "."


NO_ENDING, HIDDEN, FOLDER = "without the ending of a picture", "hidden", "in folders of their own"
DANGLING, NO_FILE, UNREADABLE = "pointing to nothing", "no file", "not readable"
WORRYING = (DANGLING, NO_FILE, UNREADABLE)
"""Reasons to leave out what is named like a picture."""


def left_out(folder: Path) -> list[tuple[Path, str]]:
    """What a run over ``folder`` does not take, with the reason."""
    from core.images import SUFFIXES, picture_files

    taken = set(picture_files(folder))
    return [(path, _reason(path, SUFFIXES)) for path in sorted(folder.iterdir()) if path not in taken]


def _reason(path: Path, endings: Collection[str]) -> str:
    try:
        if path.is_dir():
            return FOLDER
        if path.name.startswith("."):
            return HIDDEN
        if path.suffix.lower() not in endings:
            return NO_ENDING
        if path.is_symlink() and not path.exists():
            return DANGLING
        return NO_FILE
    except OSError:
        return UNREADABLE


def _identity(path: Path) -> str:
    # Case is ignored: on some file systems A.PNG and a.png are one file.
    return str(path.resolve()).casefold()


def gallery_style(name: str) -> str | None:
    """The gallery's name of ``name``, or ``None`` when it is the path of a picture.

    Raises ``UnknownNameError`` with a suggestion when it is neither.
    """
    from core import styles
    from core.images import refuse_address

    refuse_address(name)
    known = [style.name for style in styles.styles()]
    if name in known:
        return name
    path = Path(name).expanduser()
    if path.exists() or path.suffix or os.sep in name:
        return None
    raise UnknownNameError("style", name, known)


@dataclass(frozen=True)
class MaskFiles:
    """The files that ``--mask`` and ``--style-mask`` name, each one or ``None`` for each style; none at all where nothing
    was given."""

    masks: list[Path | None]
    style_masks: list[Path | None]

    @classmethod
    def given(cls, args: argparse.Namespace, styles: Sequence[str]) -> MaskFiles:
        """Those of a command with ``worker.cli.parser.add_mask_arguments``. Raises ``ParameterError``."""
        return cls(_mask_files(args.mask, styles), _mask_files(args.style_mask, styles))

    @property
    def names(self) -> list[str]:
        """The files, which no painting may overwrite."""
        return [str(path) for path in (*self.masks, *self.style_masks) if path is not None]

    def check(self, method: MethodSpec, styles: int) -> None:
        """Raises ``ParameterError`` where a method does not take them."""
        method.check_masks(self.masks, styles, self.style_masks)

    def each(self, take: Callable[[Path, bool], Any]) -> dict[str, Any]:
        """What ``take`` makes of each file and of whether it is a style's, by the kinds of ``core.specs.MASKS``. What it
        raises as ``PictureError`` is said with the file's name."""
        found: dict[str, list[Any]] = {kind: [] for kind in MASKS}
        for kind, paths in zip(MASKS, (self.masks, self.style_masks), strict=True):
            for path in paths:
                with of_file(path):
                    found[kind].append(None if path is None else take(path, kind == "style_masks"))
        return found

    def read(self) -> dict[str, Any]:
        """The masks (mode ``L``), by their kinds; raises ``PictureError`` with the file's name."""
        from core.images.masks import read_mask

        return self.each(lambda path, of_style: read_mask(path, of_style=of_style))


def _mask_files(given: Sequence[str], styles: Sequence[str]) -> list[Path | None]:
    """The files that options STYLE=FILE name. Raises ``ParameterError``."""
    found: dict[str, Path] = {}
    for text in given:
        # A name may hold the sign as well as a file: the style is what is known.
        fits = [style for style in styles if text.startswith(f"{style}=")]
        style = max(fits, key=len, default="")
        file = text[len(style) + 1 :].strip()
        if not fits or not file:
            raise ParameterError(f"'{text}' is no mask; write STYLE=FILE with one of {', '.join(styles)}.")
        if style in found:
            raise ParameterError(f"'{style}' has two masks; give one, which may have several white parts.")
        found[style] = Path(file).expanduser()
    return [found.get(style) for style in styles] if found else []


@contextlib.contextmanager
def of_file(path: Path | None) -> Iterator[None]:
    """What is wrong with a picture is said with its file's name: of several, one does not know otherwise."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"{path}: {error}", code=error.code) from None


def save(image: Image.Image, out: Path, metadata: bytes | None = None) -> None:
    """Write ``image`` in the format of the ending of ``out``, with EXIF data if there is some; see ``write`` for what is
    raised."""
    from core.images import WRITERS

    write(WRITERS[WRITTEN[out.suffix.lower()]](image, metadata), out)


def write(data: bytes, out: Path) -> None:
    """Write ``data`` to ``out`` whole or not at all, making its folder; raises ``AllaPrimaError``."""
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=".painting-", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, out)
        temporary = None
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise AllaPrimaError(f"'{out}' cannot be written ({reason}); choose another place for it.") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
