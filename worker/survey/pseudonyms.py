"""Raters' pseudonyms and the tokens that carry a rater from one front end to another: both made with one key.

The key is the setting ``survey_secret`` or a file in the data folder; the database holds only its fingerprint, so who
has the database alone cannot find out who a rater is, and a second key is noticed before it splits raters in two.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import struct
import threading
import time
from pathlib import Path

from core.errors import AllaPrimaError, NotFoundError
from worker.private import private_folder
from worker.settings import Settings
from worker.store.database import Database
from worker.store.people import insert_if_missing
from worker.store.study_models import PseudonymKey

KEY_FILE = "survey.key"
TOKEN_VERSION = 1
_HEAD = ">BI4s16s"
_HEAD_BYTES, _MAC_BYTES = struct.calcsize(_HEAD), 12


class Pseudonyms:
    """Keyed hashes (HMAC-SHA-256) of people's ids; the key is read when it is first needed."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings = database, settings
        self._lock = threading.Lock()
        self._known: bytes | None = None

    def rater(self, study: str, person: str) -> str:
        """The pseudonym (32 hex digits) of a person in a study; another one in each study."""
        return self._hash(f"rater\0{study}\0{person}")

    def quick(self, person: str) -> str:
        """The pseudonym of a person for ratings under ordinary paintings."""
        return self._hash(f"quick\0{person}")

    def public(self, study: str, rater: str) -> str:
        """What stands for a rater in exports (10 hex digits): the same in every export, of no use to the service."""
        return self._hash(f"export\0{study}\0{rater}")[:10]

    def token(self, study: str, rater: str, expires: float) -> str:
        """A signed token of 50 characters, A–Z a–z 0–9 _ -."""
        head = struct.pack(_HEAD, TOKEN_VERSION, int(expires), _short(study), bytes.fromhex(rater))
        return _encoded(head + self._mac(head, study))

    def read_token(self, token: str, studies: list[str]) -> tuple[str, str]:
        """(study, rater) of a token; raises ``NotFoundError`` for one that is forged, spoilt or too old."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            head, mac = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]
            if _encoded(raw) != token:
                # The last letter has bits to spare: of all spellings only ours counts.
                raise _no_link()
            version, expires, short, rater = struct.unpack(_HEAD, head)
        except (binascii.Error, struct.error, ValueError, UnicodeEncodeError):
            raise _no_link() from None
        for study in studies:
            if short == _short(study) and hmac.compare_digest(mac, self._mac(head, study)):
                if version != TOKEN_VERSION or expires < time.time():
                    raise NotFoundError("This link is too old; please open the survey anew.")
                return study, rater.hex()
        raise _no_link()

    def _mac(self, head: bytes, study: str) -> bytes:
        return hmac.digest(self._key(), b"token\0" + head + study.encode(), "sha256")[:_MAC_BYTES]

    def _hash(self, text: str) -> str:
        return hmac.new(self._key(), text.encode(), hashlib.sha256).hexdigest()[:32]

    def _key(self) -> bytes:
        with self._lock:
            if self._known is None:
                secret = self.settings.survey_secret
                key = secret.get_secret_value().encode() if secret else kept_key(self.settings.data_dir)
                self._compare(key)
                self._known = key
            return self._known

    def _compare(self, key: bytes) -> None:
        mine = hmac.new(key, b"fingerprint", hashlib.sha256).hexdigest()[:32]
        with self.database.read() as session:
            row = session.get(PseudonymKey, 1)
        if row is None:
            with self.database.write() as session:
                insert_if_missing(session, PseudonymKey, id=1, fingerprint=mine)
                row = session.get_one(PseudonymKey, 1)
        if row.fingerprint != mine:
            raise AllaPrimaError(
                "The ratings in this database belong to another key; set ALLAPRIMA_SURVEY_SECRET to the same value on "
                f"every machine, or bring back the file {KEY_FILE} of the data folder they were given with.",
                code="survey_key",
            )


def kept_key(folder: Path) -> bytes:
    """The key in the data folder, drawn at random by whoever asks first; raises ``AllaPrimaError``."""
    path = folder / KEY_FILE
    try:
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        private_folder(folder)
        draft = folder / f".{KEY_FILE}-{os.getpid()}-{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_hex(32).encode())
        try:
            # Of several processes one wins, and a reader never sees half a key.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_bytes()
    except OSError as error:
        raise AllaPrimaError(
            f"The key of the surveys '{path}' cannot be kept ({error.strerror or error}); set ALLAPRIMA_SURVEY_SECRET.",
            code="survey_key",
        ) from None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _short(study: str) -> bytes:
    return hashlib.sha256(study.encode()).digest()[:4]


def _no_link() -> NotFoundError:
    return NotFoundError("This link does not work; please open the survey anew.")
