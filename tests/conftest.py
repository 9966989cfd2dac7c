"""What every test can use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import hosting
from tests.hosts import Host, accept


@pytest.fixture
def host() -> Iterator[Host]:
    """A host whose services are those of the process: requests and Lambda events reach it. No action answers."""
    made = Host(accept)
    hosting.use(made.services)
    yield made
    hosting.forget()
