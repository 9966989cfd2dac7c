"""The services of this process, made from its environment when they are first used."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from chalicelib import config
from chalicelib.config import Settings
from chalicelib.hosting.backends import adapters_for
from chalicelib.hosting.wiring import Services, assemble

if TYPE_CHECKING:
    from chalicelib.service.security.tokens import Tokens

_services: list[Services] = []
_tokens: list[Tokens] = []


def services() -> Services:
    """Return the process's services. The first call makes them from the environment."""
    if not _services:
        settings = config.from_environment(os.environ)
        for notice in settings.notices:
            logging.getLogger("echoer").warning(notice)
        _services.append(assemble(settings, adapters_for(settings)))
    return _services[0]


def use(made: Services) -> None:
    """Make these the process's services. The local server and tests call it with services of their own."""
    _services[:] = [made]


def forget() -> None:
    """Drop the process's services: the next use makes them from the environment again."""
    _services.clear()
    _tokens.clear()


def flush() -> None:
    """Let the observer write what it has collected. Does nothing before the services are made."""
    if _services:
        _services[0].adapters.observer.flush()


def tokens() -> Tokens:
    """Return the tokens alone, for a function that may read nothing else."""
    if _services:
        return _services[0].tokens
    if not _tokens:
        _tokens.append(_tokens_on_aws(config.from_environment(os.environ)))
    return _tokens[0]


def _tokens_on_aws(settings: Settings) -> Tokens:
    from chalicelib.adapters.dynamodb.items import TableLocation
    from chalicelib.adapters.dynamodb.store import DynamoStore
    from chalicelib.adapters.system import SystemClock, SystemIds
    from chalicelib.service.security.tokens import Tokens

    versioned_values = DynamoStore(TableLocation(table=settings.table, endpoint=settings.dynamodb_url)).versioned_values
    return Tokens(versioned_values, SystemClock(), SystemIds(), settings.namespace, settings.admin_token_sha256)
