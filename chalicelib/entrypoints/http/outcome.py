"""The response to an answer, apart from all other responses: a function that takes answers loads no others."""

from typing import Literal, TypedDict


class Outcome(TypedDict):
    """The effect of an answer: the run advanced, the progress was recorded, or the answer was received before."""

    outcome: Literal["advanced", "progress", "duplicate"]
