"""Which pictures a rater sees, and in which order: drawn from the study's seed, balanced over raters.

Pairs follow a Williams design (Williams 1949), a Latin square in which every pair also follows every other equally
often: over one block of raters (as many as there are pairs, twice as many for an odd number) each pair is seen
equally often and stands at each place equally often, also when each rater sees only some of the pairs. Pairs and rows
are relabelled at random for each block.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from core.survey.study import CHECK, Item, Study


@dataclass(frozen=True)
class _Layout:
    pairs: list[str]
    arms: list[str | None]
    items: dict[tuple[str, str | None], str]
    checks: list[Item]


def williams(size: int) -> list[list[int]]:
    """Rows of a Williams design over 0 … size − 1: ``size`` of them, or 2·``size`` for an odd ``size`` > 1."""
    first = [0]
    for step in range(1, size):
        first.append((first[-1] + (step if step % 2 else -step)) % size)
    rows = [[(value + shift) % size for value in first] for shift in range(size)]
    return rows if size % 2 == 0 or size == 1 else rows + [row[::-1] for row in rows]


def order(study: Study, number: int) -> list[str]:
    """Names of the items (``Study.items``) that rater ``number`` (from 0) sees, in order.

    With arms, each of the rater's pairs comes in every arm, one arm per round over all pairs, so that the same photo
    never comes twice in a row unless it is the only one; which arm comes first rotates with pairs, raters and blocks.
    Checks are mixed in at random, never first, a repetition after the picture it repeats.
    """
    layout = _layout(study)
    rows = williams(len(layout.pairs))
    block, row = divmod(number, len(rows))
    draw = random.Random(f"{study.seed}/block {block}")
    labels = draw.sample(layout.pairs, len(layout.pairs))
    turn = draw.sample(range(len(rows)), len(rows))[row]
    seen = [labels[value] for value in rows[turn]][: study.pairs_per_rater]
    draw = random.Random(f"{study.seed}/rater {number}")
    sequence: list[str] = []
    last = ""
    for arm_round in range(len(layout.arms)):
        pairs = seen if arm_round == 0 else _shuffled(seen, last, draw)
        last = pairs[-1]
        for pair in pairs:
            shift = labels.index(pair) + turn + block + arm_round
            sequence.append(layout.items[pair, layout.arms[shift % len(layout.arms)]])
    return _with_checks(sequence, layout.checks, study, draw)


def _layout(study: Study) -> _Layout:
    items = study.items()
    return _Layout(
        [pair.name for pair in study.pairs],
        [arm.name for arm in study.arms] or [None],
        {(str(item.pair), item.arm): item.name for item in items if item.kind != CHECK},
        [item for item in items if item.kind == CHECK],
    )


def _shuffled(pairs: Sequence[str], not_first: str, draw: random.Random) -> list[str]:
    shuffled = draw.sample(list(pairs), len(pairs))
    if len(shuffled) > 1 and shuffled[0] == not_first:
        shuffled.append(shuffled.pop(0))
    return shuffled


def _with_checks(sequence: list[str], checks: Sequence[Item], study: Study, draw: random.Random) -> list[str]:
    first_arm = study.arms[0].name if study.arms else None
    for check in checks:
        earliest = 1
        if check.check is not None and check.check.repeat is not None:
            repeated = f"{check.pair}/{first_arm}" if first_arm else str(check.pair)
            if repeated not in sequence:
                continue
            # At least one other picture in between, where there is one.
            earliest = min(sequence.index(repeated) + 2, len(sequence))
        sequence.insert(draw.randint(min(earliest, len(sequence)), len(sequence)), check.name)
    return sequence
