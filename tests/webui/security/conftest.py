"""Visitors of the page that all tests of this room share, and what they bring."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from tests.webui.attacker import Attacker
from tests.webui.conftest import picture
from tests.webui.page_process import Page


@pytest.fixture
def attacker(running_page: Page) -> Iterator[Attacker]:
    """A visitor who means no good."""
    visitor = Attacker(running_page.url)
    yield visitor
    visitor.close()


@pytest.fixture
def victim(running_page: Page) -> Iterator[Attacker]:
    """Another visitor, who means well."""
    visitor = Attacker(running_page.url, "victim")
    yield visitor
    visitor.close()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A small photograph."""
    file = io.BytesIO()
    picture(96, 64).save(file, "PNG")
    return file.getvalue()
