"""Runs in responses: in their whole shape while that is small enough, and in brief otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.entrypoints.http import pages, presenters
from chalicelib.entrypoints.http.parameters import SUMMARY
from chalicelib.entrypoints.http.presenters.run_details import with_details
from chalicelib.entrypoints.http.presenters.values import Values
from chalicelib.service.errors import TooLarge

if TYPE_CHECKING:
    from chalicelib.model.json_values import Json
    from chalicelib.model.run import Run
    from chalicelib.service.details.run_details import RunDetailReader
    from chalicelib.service.runs.read import Reader, RunView


def named(
    reader: Reader,
    namespace: str,
    name: str,
    shape: str | None = None,
    details: RunDetailReader | None = None,
    shows: type[Values] = Values,
) -> Json:
    """Return the run with this name, with its values as `shows` shows them; with `details` also what it waits for, its
    children and its cost.

    Raises NotFound.
    """
    if shape == SUMMARY:
        return presenters.summary(reader.stored(namespace, name))
    try:
        view = reader.view(namespace, name)
    except TooLarge:
        return presenters.summary(reader.stored(namespace, name), is_cut=True)
    return whole_or_brief(view.run, view, shows) if details is None else _detailed(view, details, shows)


def listed(reader: Reader, stored: Run) -> Json:
    """Return a run of a listing, in its whole shape if that fits."""
    return whole_or_brief(stored, reader.list_view(stored))


def changed(reader: Reader, run: Run, details: RunDetailReader) -> Json:
    """Return a run as a command left it, with its details."""
    try:
        return _detailed(reader.view_of(run), details)
    except TooLarge:
        return presenters.summary(run, is_cut=True)


def _detailed(view: RunView, details: RunDetailReader, shows: type[Values] = Values) -> Json:
    shown = whole_or_brief(view.run, view, shows)
    if "steps" not in shown["spec"]:
        return shown
    return with_details(shown, view.run, details.of(view.run, view.definition, view.entries))


def whole_or_brief(run: Run, view: RunView | None, shows: type[Values] = Values) -> Json:
    """Return the whole shape of a run, or the brief one if there is no view of it, or if it is too large."""
    if view is not None:
        shown = presenters.run(view, shows)
        if pages.item(shown, "").size <= pages.MAX_PAGE_BYTES:
            return shown
    return presenters.summary(run, is_cut=True)
