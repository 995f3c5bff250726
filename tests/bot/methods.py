"""Methods for the bot's tests, loaded by the setting ``extra_methods``: real in interface and result, quick, and
``hold`` waits as long as a file exists, so that a test decides when a painting is ready."""

from __future__ import annotations

from core.registry import register
from core.specs import MethodSpec

HOLD_VARIABLE = "BOT_TEST_HOLD"

for _name in ("quick", "hold", "refuse"):
    register(
        MethodSpec(
            name=_name,
            title=_name.title(),
            summary="A method of the tests.",
            paper="none",
            params=("alpha", "keep_colors", "size", "seed"),
            weights="none",
            factory="tests.bot.painting:Tint",
        )
    )
