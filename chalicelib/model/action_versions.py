"""Which version of an action a run uses.

A run keeps the contract of an action (args, states, data) in the version with which it began. How the action is reached
follows its newest version: address, method, headers, secrets, timeouts, retry, limit and breaker. So a service that
moved is mended by submitting its action again. Where the newest version has another contract than the step needs, the
run's own version is used, and the doctor reports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from chalicelib.model.actions import Action, ArgType, Options
from chalicelib.model.flow import BUILT_IN_STATES


class ActionVersions(msgspec.Struct, frozen=True):
    """The actions of a run: in its own versions, and the newest versions of those that have newer ones."""

    own: Mapping[str, Action]
    newest: Mapping[str, Action] = msgspec.field(default_factory=dict)
    configs: frozenset[str] = frozenset()
    """The values of the configuration that the run knows."""
    problems: dict[str, str] = msgspec.field(default_factory=dict)
    """For each user of an action (a step) that cannot follow its newest version: why."""

    def sent(self, user: str, name: str, args: Iterable[str], states: Iterable[str] = ()) -> Action:
        """Return the action as it is sent with these args by `user`, which routes these states."""
        own, newest = self.own[name], self.newest.get(name)
        if newest is None:
            return own
        problem = contract_problem(own, newest, args, states, self.configs)
        if problem:
            self.problems[user] = f"the newest version of action {name!r} {problem}"
            return own
        return _following(own, newest)


def contract_problem(
    own: Action, newest: Action, args: Iterable[str], states: Iterable[str], configs: frozenset[str]
) -> str:
    """Return why a step that is checked against `own` cannot send `newest`; empty if it can."""
    if (own.is_human, own.direct, own.is_operation) != (newest.is_human, newest.direct, newest.is_operation):
        return "is called, and answers, in another way"
    problem = _args_problem(own, newest, args)
    if problem:
        return problem
    lacking = sorted(set(states).intersection(own.returns) - {*newest.returns, *BUILT_IN_STATES})
    if lacking:
        return f"does not return {lacking[0]}, which the step routes"
    unknown = sorted(set(newest.configs) - configs)
    return f"reads `$config.{unknown[0]}`, which the run does not have" if unknown else ""


def _args_problem(own: Action, newest: Action, args: Iterable[str]) -> str:
    """Return why `newest` does not take the args. Those with defaults are sent as well, as `own` declares them."""
    if own.is_open or newest.is_open:
        return "" if own.is_open and newest.is_open else "declares its args, or does so no longer"
    known = {parameter.name: parameter for parameter in own.parameters}
    taken = {parameter.name: parameter for parameter in newest.parameters}
    for name in args:
        if name not in taken:
            return f"has no arg {name!r}"
        old, new = known[name].type, taken[name].type
        if new not in (old, ArgType.ANY) and (old, new) != (ArgType.INT, ArgType.FLOAT):
            return f"takes a value of type {new} as arg {name!r}, and not of type {old}"
    lacking = [name for name, parameter in taken.items() if parameter.required and name not in known]
    return f"needs arg {lacking[0]!r}" if lacking else ""


def _following(own: Action, newest: Action) -> Action:
    """Return the action with the contract of `own`, reached as `newest` says."""
    options = Options(
        timeout=newest.options.timeout,
        heartbeat=newest.options.heartbeat,
        retry=newest.options.retry,
        limit=newest.options.limit,
        headers=newest.options.headers,
        secret_headers=newest.options.secret_headers,
        approval=own.options.approval,
        signed=own.options.signed,
    )
    return replace(
        own,
        method=newest.method,
        addresses=newest.addresses,
        ca_bundle=newest.ca_bundle,
        options=options,
        breaker=newest.breaker,
        cancel=newest.cancel,
        verb=newest.verb,
        form=newest.form,
        reply_timeout=newest.reply_timeout,
        role=newest.role,
    )
