"""What changes in the routes of a step of the text."""

from __future__ import annotations

from chalicelib.authoring.edit import write
from chalicelib.authoring.edit.drafts import RouteDraft, StepDraft
from chalicelib.authoring.edit.layout import Layout
from chalicelib.authoring.edit.patch import Patch
from chalicelib.language.source import Span
from chalicelib.language.syntax import tree
from chalicelib.language.syntax.tree import Group


def emit_routes(step: StepDraft, layout: Layout, patch: Patch) -> None:
    """Emit what changes in the routes of a step."""
    group = step.node.routes if step.node is not None else None
    if group is not None:
        _Routes(step, group, layout, patch).emit()


class _Routes:
    def __init__(self, step: StepDraft, group: Group, layout: Layout, patch: Patch) -> None:
        self._routes = step.routes
        self._group = group
        self._layout = layout
        self._patch = patch
        self._items = [one for one in group.items if isinstance(one, tree.Route)]

    def emit(self) -> None:
        kept = [one for one in self._routes if one.node is not None and not one.is_deleted]
        if not kept:
            self._replace_all()
            return
        for one in kept:
            self._change(one)
        first = self._items.index(_node(kept[0]))
        for one in self._routes:
            if one.node is not None and one.is_deleted:
                self._remove(self._items.index(one.node), first)
        self._add(kept)

    def _replace_all(self) -> None:
        """Write new routes in the place of those of the text, none of which stays."""
        written = " | ".join(write.route(one, self._layout.text) for one in self._routes if not one.is_deleted)
        if self._items:
            self._patch.replace(self._items[0].span, written)
            for number in range(1, len(self._items)):
                self._remove(number, 0)
        elif [(write.route(one, ""), one.target.place) for one in self._routes] != [("DONE -> done", None)]:
            # `()` stands for the route of DONE.
            self._patch.insert(self._group.span.start + 1, written)

    def _change(self, one: RouteDraft) -> None:
        node = _node(one)
        self._states(one, node)
        if node.target is None:
            if one.target.name != "done":
                at = node.entries.span if node.entries else node.span.after
                self._patch.replace(at, write.target(one.target) if node.entries else f" -> {write.target(one.target)}")
            return
        is_end = node.target.text.lower() == one.target.name
        if one.target.place is None and not is_end and node.target.text != one.target.name:
            self._patch.replace(node.target.span, write.target(one.target))
        if node.entries is not None and one.entries is None:
            for part in self._layout.without_comments(Span(node.target.span.end, node.entries.span.end)):
                self._patch.replace(part, "")

    def _states(self, one: RouteDraft, node: tree.Route) -> None:
        """Remove the states that a route has no longer, each with a comma."""
        kept = [word for _, word in one.states if word is not None]
        for number, word in enumerate(node.states):
            if word in kept:
                continue
            is_before = any(other in kept for other in node.states[:number])
            span = Span(node.states[number - 1].span.end, word.span.end) if is_before else None
            for part in self._layout.without_comments(
                span or Span(word.span.start, node.states[number + 1].span.start)
            ):
                self._patch.replace(part, "")

    def _remove(self, number: int, first: int) -> None:
        """Remove a route of the text with the bar before it; before the first one that stays, with the bar after it."""
        item = self._items[number]
        is_after = number > first
        between = (
            Span(self._items[number - 1].span.end, item.span.start)
            if is_after
            else Span(item.span.end, self._items[number + 1].span.start)
        )
        parts = list(self._layout.without_comments(between))
        if parts == [between]:
            self._patch.replace(between.to(item.span) if is_after else item.span.to(between), "")
            return
        bar = next(at for at in (self._layout.text.find("|", one.start, one.end) for one in parts) if at >= 0)
        if is_after and self._layout.begins_line(bar) and self._layout.blanks_after(bar + 1) == item.span.start:
            self._patch.replace(self._layout.whole_lines(Span(bar, item.span.end)), "")
            return
        self._patch.replace(item.span, "")
        self._patch.replace(Span(bar, self._layout.blanks_after(bar + 1)), "")

    def _add(self, kept: list[RouteDraft]) -> None:
        """Write new routes before the next route of the text that stays, or after the last one."""
        pending: list[str] = []
        for one in self._routes:
            if one.node is None and not one.is_deleted:
                pending.append(write.route(one, self._layout.text))
            elif one.node is not None and not one.is_deleted and pending:
                self._patch.insert(one.node.span.start, "".join(f"{new}{self._bar()}" for new in pending))
                pending = []
        if pending:
            last = _node(kept[-1]).span.end
            at, must_break = self._layout.after_comments(last)
            at = at if must_break else last
            self._patch.insert(at, "".join(f"{self._bar(must_break=must_break)}{new}" for new in pending))

    def _bar(self, *, must_break: bool = False) -> str:
        """Return the bar between two routes: at the start of a line if the last routes of the text are so written."""
        layout = self._layout
        for item in self._items[:0:-1]:
            bar = layout.text.rfind("|", self._group.span.start, item.span.start)
            if layout.begins_line(bar):
                return f"{layout.line_end}{layout.indent(bar)}| "
            break
        return f"{layout.line_end}{layout.indent(self._group.span.start)}  | " if must_break else " | "


def _node(one: RouteDraft) -> tree.Route:
    if one.node is None:
        raise ValueError("the route has no place in the text")
    return one.node
