"""What `save` sets: variables, or members within them (`a.b.c`)."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Names
from chalicelib.engine.values.secret_values import is_encrypted, shown
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.templates import Template
from chalicelib.model.variable_paths import join_path, split_path


def assigned(transition: Transition, token: Token, templates: Mapping[str, Template], names: Names) -> dict[str, Json]:
    """Return the variables that `templates` set, by name; secret ones are encrypted. Raises ExpressionFailed.

    The values are evaluated with the variables as they are, and then set one after the other.
    """
    paths = {key: split_path(key) for key in templates}
    secret = transition.secret_among({path[0] for path in paths.values()}, token)
    before = transition.visible_vars(token, own_fork=False)
    values = transition.resolve_vars(templates, names, {key for key, path in paths.items() if path[0] in secret})
    changed: dict[str, Json] = {}
    for key, (name, *members) in paths.items():
        if not members:
            changed[name] = values[key]
            continue
        whole = changed[name] if name in changed else before.get(name, {})
        changed[name] = _with_member(whole, (name,), tuple(members), values[key])
    return transition.encrypt_secrets(changed, token)


def _with_member(whole: Json, path: tuple[str, ...], members: tuple[str, ...], value: Json) -> Json:
    """Return the map `whole`, which is at `path`, with the member set. Maps are made where there is nothing or null."""
    if not members:
        return value
    whole = {} if whole is None else whole
    if not isinstance(whole, Mapping) or is_encrypted(whole):
        found = shown(whole)
        target, holder = join_path((*path, *members)), join_path(path)
        raise ExpressionFailed(f"cannot save {target!r}: {holder!r} is {found}, not a map")
    name = members[0]
    inner = whole.get(name, {})
    return {**whole, name: _with_member(inner, (*path, name), members[1:], value)}
