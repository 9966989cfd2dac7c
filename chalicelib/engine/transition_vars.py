"""The variables of a run and of its scopes, as a transition reads and changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.values.evaluation import Names, OnNothing, resolve
from chalicelib.engine.values.secret_values import Cipher, encrypted
from chalicelib.engine.variables import Scope, by_scope, scope_of, secret_names, visible
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import ABSENT, Run, Token
from chalicelib.model.templates import Template


class TransitionVars:
    """The part of a transition that reads and changes variables. Only it changes those of scopes."""

    definition: Definition
    cipher: Cipher
    run: Run
    tokens: dict[str, Token]

    def with_secrets(self, names: Names) -> Names:
        """Return the names with secrets decrypted: for conditions, and for values that are encrypted themselves."""
        return names.decrypt(self.cipher) if self.definition.has_secrets else names

    def resolve_vars(
        self, templates: Mapping[str, Template], names: Names, secret: Set[str] = frozenset()
    ) -> dict[str, Json]:
        """Return the value of each template, null for what yields nothing. Raises ExpressionFailed.

        Those with a key in `secret` may read secrets; their values are returned in plain text.
        """
        with_secrets = self.with_secrets(names) if secret & templates.keys() else names
        return {
            key: resolve(template, with_secrets if key in secret else names, OnNothing.NULL)
            for key, template in templates.items()
        }

    def visible_vars(self, token: Token, *, own_fork: bool = True) -> Mapping[str, Json]:
        """Return the variables that the token sees (`variables.visible`)."""
        if not self.definition.has_scopes:
            return self.run.vars
        return visible(self.run.vars, token, self.tokens, own_fork=own_fork)

    def set_vars(self, changed: Mapping[str, Json], token: Token) -> None:
        """Set variables, each in the innermost scope around the token that declares it, or else in the run."""
        if not changed:
            return
        changed = self.encrypt_secrets(changed, token)
        if not self.definition.has_scopes:
            self.replace_vars({**self.run.vars, **changed})
            return
        for scope, values in by_scope(changed, token, self.tokens).items():
            if scope is None:
                self.replace_vars({**self.run.vars, **values})
            else:
                self.set_scope(scope, {**(self._vars_in(scope) or {}), **values})

    def replace_vars(self, variables: dict[str, Json]) -> None:
        """Set all variables of the run. What was sent with the old values is sent with them again."""
        self._keep_old_vars(self.run.vars, variables, None)
        self.run = replace(self.run, vars=variables)

    def set_scope(self, scope: Scope, variables: dict[str, Json] | None) -> None:
        """Set all variables of a scope; None ends it. What was sent with the old values is sent with them again."""
        if variables is not None:
            self._keep_old_vars(self._vars_in(scope) or {}, variables, scope)
        token = self.tokens[scope.token]
        changed = replace(token, fork_vars=variables) if scope.is_fork else replace(token, vars=variables)
        self.tokens[token.id] = changed

    def _vars_in(self, scope: Scope) -> dict[str, Json] | None:
        token = self.tokens[scope.token]
        return token.fork_vars if scope.is_fork else token.vars

    def _keep_old_vars(self, before: Mapping[str, Json], after: Mapping[str, Json], scope: Scope | None) -> None:
        """Let the tokens that were sent with the old values of the scope keep them. `scope` None is the run."""
        names = before.keys() | after.keys()
        old = {name: before.get(name, ABSENT) for name in sorted(names) if _differ(before, after, name)}
        for token in tuple(self.tokens.values()) if old else ():
            if token.activation is not None and self._is_sent(token):
                kept = {**self._seen_in(scope, old, token), **token.activation.old_vars}
                activation = replace(token.activation, old_vars=kept)
                self.tokens[token.id] = replace(token, activation=activation)
        if old and scope is None and self.run.notices:
            self.run = replace(self.run, notices=tuple(_with_old_vars(one, old) for one in self.run.notices))

    def _seen_in(self, scope: Scope | None, variables: dict[str, Json], token: Token) -> dict[str, Json]:
        """Return those of the scope's variables that no inner scope hides from the token."""
        if not self.definition.has_scopes:
            return variables
        return {name: value for name, value in variables.items() if scope_of(name, token, self.tokens) == scope}

    def encrypt_secrets(self, variables: Mapping[str, Json], token: Token | None = None) -> dict[str, Json]:
        """Return variables as they are stored: secret ones are encrypted. `token` None sets them in the run."""
        if not variables:
            return {}
        secret = self.secret_among(variables, token)
        return {name: encrypted(value, self.cipher) if name in secret else value for name, value in variables.items()}

    def secret_among(self, names: Iterable[str], token: Token | None) -> frozenset[str]:
        """Return those of the variables that are secret. `token` None sets them in the run."""
        if token is None or not self.definition.has_scopes:
            return frozenset(self.definition.flow.secret_vars).intersection(names)
        scopes = {name: scope_of(name, token, self.tokens) for name in names}
        return frozenset(
            name for name, scope in scopes.items() if name in secret_names(self.definition, scope, self.tokens)
        )

    def _is_sent(self, token: Token) -> bool:
        """Return whether the token waits for the answer to a request, which may be delivered again."""
        compiled = self.definition.steps.get(token.step)
        return token.id == UNDO or (compiled is not None and compiled.invocation is not None)


def _with_old_vars(notice: Token, old: Mapping[str, Json]) -> Token:
    activation = notice.activation
    if activation is None:
        return notice
    return replace(notice, activation=replace(activation, old_vars={**old, **activation.old_vars}))


def _differ(before: Mapping[str, Json], after: Mapping[str, Json], name: str) -> bool:
    """Return whether a variable changed, or may have changed: 7 and 7.0 differ, and so do equal floats and lists."""
    old, new = before.get(name, ABSENT), after.get(name, ABSENT)
    if old is new:
        return False
    return type(old) is not type(new) or isinstance(old, (dict, list, float)) or bool(old != new)
