"""What goes wrong: inside, a Failure with JSONata's code; outside, an ExpressionFailed with a reason in words."""

from __future__ import annotations

from typing import Any


class ExpressionFailed(Exception):
    """The expression yields no value.

    `reason` says why in words, `at` is the offset of the cause in the source where it is known, and `code` is
    JSONata's code of the error (`T2001`), or one of this package's own for its limits (`L....`).
    """

    def __init__(self, reason: str, at: int | None = None, code: str = "") -> None:
        self.reason, self.at, self.code = reason, at, code
        super().__init__(
            f"expression fails: {reason}" if at is None else f"expression fails at character {at + 1}: {reason}"
        )

    def __reduce__(self) -> tuple[type[ExpressionFailed], tuple[str, int | None, str]]:
        return ExpressionFailed, (self.reason, self.at, self.code)


class Failure(Exception):
    """The inner form of an error. `token` and `value` are what its message mentions."""

    def __init__(self, code: str, at: int | None = None, token: Any = None, value: Any = None) -> None:
        super().__init__(code)
        self.code, self.at, self.token, self.value = code, at, token, value
