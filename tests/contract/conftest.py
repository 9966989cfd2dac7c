"""The house of the tests of the entrypoints. This folder is apart from theirs: its requests take seconds to make up."""

from __future__ import annotations

from tests.entrypoints.conftest import house as house
