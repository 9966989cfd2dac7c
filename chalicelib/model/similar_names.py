"""Which known name an unknown one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LIKENESS: Final = 0.66
"""How similar a name must be to be suggested: 1 is equal, 0 has no character in common (`difflib`)."""
_MAX_COMPARED: Final = 6
"""How many of the most similar names are compared closely."""
_MAX_CHARACTERS: Final = 40
"""Longer names are not compared closely: there, `difflib` finds those that have a word in another place, too."""


def nearest(name: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the known name that takes the fewest edits, if one is at least that similar. Case does not matter.

    It takes at most half as many edits as the name has characters, unless it begins with it or `likeness` is 0.

    An edit inserts, deletes or replaces a character, or exchanges two neighbours. The time grows with the product of
    the lengths and with the number of names, so the caller limits both.
    """
    from difflib import get_close_matches  # an error needs it, and no cold start

    lowered: dict[str, str] = {}
    for one in known:
        lowered.setdefault(one.lower(), one)
    word = name.lower()
    if len(word) > _MAX_CHARACTERS:
        return next((lowered[one] for one in get_close_matches(word, lowered, 1, likeness)), None)
    similar = [(edits(word, one), one) for one in get_close_matches(word, lowered, _MAX_COMPARED, likeness)]
    count, found = min(similar, key=lambda one: one[0], default=(0, None))
    if found is None or (likeness > 0 and count > max(len(word) // 2, 1) and not found.startswith(word)):
        return None
    return lowered[found]


def edits(left: str, right: str) -> int:
    """Return how many edits lead from one text to the other (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        before, above, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
            if i > 1 and j > 1 and one == right[j - 2] and left[i - 2] == other:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
