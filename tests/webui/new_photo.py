"""For tests that must see a painting being made."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.webui.conftest import picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph that nobody has brought before: what was painted once is ready at once."""
    path = tmp_path / "photo.png"
    picture(240, 160, seed=secrets.randbits(32)).save(path)
    return path
