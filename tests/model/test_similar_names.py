"""Which known name an unknown one was probably meant to be."""

from __future__ import annotations

import pytest

from chalicelib.model.similar_names import edits, nearest


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("asl", "asl", 0),
        ("als", "asl", 1),
        ("als", "values", 3),
        ("ca", "abc", 3),
        ("kitten", "sitting", 3),
        ("abdc", "abcd", 1),
        ("badc", "abcd", 2),
    ],
)
def test_neighbours_that_change_places_are_one_edit(left: str, right: str, count: int) -> None:
    assert (edits(left, right), edits(right, left)) == (count, count)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("als", ("values", "name", "asl"), "asl"),
        ("als", ("asl", "values", "name"), "asl"),
        ("vlaue", ("values", "value"), "value"),
        ("retries_max", ("retry_max", "max"), "retry_max"),
        ("x" * 50 + "als", ("x" * 50 + "asl", "als"), "x" * 50 + "asl"),
        ("APPORVED", ("Approved", "Rejected"), "Approved"),
        ("approved", ("APPROVED", "Approved"), "APPROVED"),
        ("ship", ("values", "name"), None),
        ("", ("a",), None),
        ("on", ("zone", "events"), None),
        ("on", ("no",), None),
        ("cap", ("capem",), "capem"),
        ("tiem", ("time",), "time"),
        ("a", (), None),
    ],
)
def test_the_name_with_the_fewest_edits_is_suggested(name: str, known: tuple[str, ...], found: str | None) -> None:
    assert nearest(name, known) == found


def test_a_name_is_found_whatever_it_is_like() -> None:
    assert nearest("zzz", ("flow", "action"), 0.0) in {"flow", "action"}


def test_the_order_of_the_names_does_not_matter() -> None:
    known = [f"name{number}" for number in range(30)]
    assert nearest("name", known) == nearest("name", known[::-1])
