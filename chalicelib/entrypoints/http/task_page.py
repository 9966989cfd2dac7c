"""The HTML pages of signed links: small, without scripts, and nothing is loaded from elsewhere.

A page shows what is to be answered, and has one form, which posts the answer. Programs that only follow links (mail
scanners, previews) therefore answer nothing. Every text is escaped, and characters that hide or reorder text are shown
as escapes. The Content-Security-Policy permits the page's own style sheet and its form, and nothing else.
"""

from __future__ import annotations

import hashlib
import html
from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from chalicelib.entrypoints.http.request import Response, encoded
from chalicelib.model.json_values import Json
from chalicelib.model.times import rfc3339
from chalicelib.model.visible_text import visible
from chalicelib.service.inbox import OpenTask

CONFIRM: Final = "confirm"
NOTE: Final = "note"
"""The fields of the form."""

CONFIRMED: Final = "yes"

MAX_NOTE_CHARACTERS: Final = 10_000

MAX_SHOWN_CHARACTERS: Final = 4_000
"""Longer args are cut on the page."""

_STYLE: Final = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "body{max-width:40rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "dt{font-weight:600}dd{margin:0 0 .5rem;white-space:pre-wrap}"
    "textarea{box-sizing:border-box;width:100%;min-height:5rem;font:inherit}"
    "button{font:inherit;padding:.5rem 1.5rem;min-height:2.75rem;margin-top:1rem}"
)
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "same-origin",  # the link is a permission: no other site sees it
    "Cache-Control": "no-store",
}


def confirmation(task: OpenTask, state: str, action: str) -> Response:
    """Return the page that asks whether to answer the task with `state`. Its form posts to the URL `action`."""
    rows = [
        ("Flow", task.flow),
        ("Run", task.run),
        ("Step", task.step),
        ("Answer until", rfc3339(task.deadline)),
        *((name, _shown(value)) for name, value in task.args.items()),
    ]
    question = "Approve this request?" if task.approval else "Answer this task?"
    return _page(
        f"{state}: {task.step}",
        f"<h1>{question}</h1>"
        f"<p>Your answer: <strong>{_text(state)}</strong></p>"
        f"<dl>{_rows(rows)}</dl>"
        f'<form method="post" action="{html.escape(action)}">'
        f'<input type="hidden" name="{CONFIRM}" value="{CONFIRMED}">'
        f'<label for="{NOTE}">Note (optional)</label>'
        f'<textarea id="{NOTE}" name="{NOTE}" maxlength="{MAX_NOTE_CHARACTERS}"></textarea>'
        f'<button type="submit">Answer {_text(state)}</button>'
        "</form>",
    )


def answered(state: str, step: str) -> Response:
    """Return the page after an answer."""
    text = f"The answer <strong>{_text(state)}</strong> to <em>{_text(step)}</em> was recorded."
    return _page("Thank you", f"<h1>Thank you</h1><p>{text} You can close this page.</p>")


def closed() -> Response:
    """Return the page for a task that waits for no answer any more."""
    text = "This task was answered before, or it is no longer open. Nothing was changed."
    return _page("Already answered", f"<h1>Already answered</h1><p>{text}</p>")


def failed(status: int, message: str) -> Response:
    """Return the page of an error."""
    return _page("No answer was recorded", f"<h1>No answer was recorded</h1><p>{_text(message)}</p>", status)


def _page(title: str, body: str, status: int = 200) -> Response:
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )
    return Response(text, status=status, headers=dict(HEADERS))


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<dt>{_text(name)}</dt><dd>{_text(value, lines=True)}</dd>" for name, value in rows)


def _text(text: str, *, lines: bool = False) -> str:
    return html.escape(visible(text, lines=lines))


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else encoded(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]} ..."
