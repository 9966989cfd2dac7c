"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import hosting
from tests.hosts import Host, accept


@pytest.fixture
def host() -> Iterator[Host]:
    """Provide a host that serves the requests and Lambda events of this process. No action answers."""
    made = Host(accept)
    hosting.use(made.services)
    yield made
    hosting.forget()
