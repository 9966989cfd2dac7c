"""Pending undos in pages: the head stays small, and what is undone, and in which order, is the same as without them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
import pytest

from chalicelib.engine.errors import DoesNotFit
from chalicelib.engine.events import Event, RunMigrated, RunRetried, RunStopped, StepAcked, Target
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.undo.undo_pages import MAX_BYTES
from chalicelib.model.actions import Action, ArgType, Parameter, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Branch, EachStep, Flow, ForkStep, Route, Step
from chalicelib.model.json_values import Json
from chalicelib.model.pending_undo import PendingUndo, UndoPage, UndoPages, page_key, page_of, page_value
from chalicelib.model.run import DefinitionRef, Token, decode_run, encode
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.templates import expression
from tests.engine.driving import Driven
from tests.engine.flows import route, step

WORK = Action(name="work", returns=("OK", "BAD", "SKIP"))
BACK = Action(name="back", returns=("OK",), parameters=(Parameter(name="id", type=ArgType.INT),))
BY_ID = Undo(action="back", args={"id": expression("$result.id")}, states=("OK",))
FEW_BYTES = 2 * MAX_BYTES
"""Bytes of the undos of one scope, and of what refers to their pages, that no head has."""


def work(name: str, routes: str, undo: Undo | None = BY_ID, **more: Any) -> Step:
    return step(name, routes, undo=undo, **more)


class World(Driven):
    """A run of these steps, of which each answer has the next number as its id."""

    def __init__(self, *steps: Step, **flow: Any) -> None:
        made = Flow(name="f", steps=steps, **flow)
        super().__init__(Definition(flow=made, actions={"work": WORK, "back": BACK}))
        self.at = 10_000
        self.answers = 0
        self.done: dict[int, str] = {}
        """The id of each work that is to be undone, with its token, in the order of the answers."""
        self.undone: list[int] = []
        self.largest = 0

    def event(self, kind: type[Event], **fields: Any) -> None:
        self.at += 1_000
        self.apply(kind(at=self.at, nonce=self.nonce(), **fields))
        self.largest = max(self.largest, len(msgspec.json.encode((self.run.undos, self.run.undo_pages))))
        stored = decode_run(encode(self.run))
        assert (stored.undos, stored.undo_pages) == (self.run.undos, self.run.undo_pages)

    def reply(self, token: Token, state: str = "OK") -> None:
        """Answer for what the token waits for; the undo that may follow is sent at once."""
        assert token.activation is not None
        self.answers += 1
        number = self.answers
        if state == "OK":
            self.done[number] = token.id
        self.event(StepAcked, step=token.step, uuid=token.activation.uuid, state=state, data={"id": number})

    def waiting(self, name: str = "") -> list[Token]:
        """The tokens that wait for an answer, at that step."""
        waits = [token for token in self.run.tokens if token.activation and not token.activation.is_join]
        return [token for token in waits if token.id != UNDO and name in ("", token.step)]

    @property
    def undoing(self) -> int | None:
        """The id of the work that is being undone; None if none is."""
        token = next((token for token in self.run.tokens if token.id == UNDO), None)
        if token is None:
            return None
        (pending,) = (undo for undo in self.run.undos if undo.uuid == token.undoes)
        return int(pending.args["id"])

    def undo_all(self, state: str = "OK") -> list[int]:
        """Let every undo that begins be answered, and return the ids in this order."""
        undone: list[int] = []
        while (number := self.undoing) is not None:
            undone.append(number)
            token = next(token for token in self.run.tokens if token.id == UNDO)
            assert token.activation is not None
            error = StepError("Broken", "it is broken") if state == "ERROR" else None
            self.event(StepAcked, step=token.step, uuid=token.activation.uuid, state=state, error=error)
        return undone

    def newest_first(self, scope: str = "0") -> list[int]:
        """The work of a scope that was not undone yet, newest first."""
        ids = [number for number, token in self.done.items() if f"{token}.".startswith(f"{scope}.")]
        return [number for number in reversed(ids) if number not in self.undone]


def loop(**flow: Any) -> World:
    return World(work("A", "OK->A|BAD->stopped|SKIP->done"), **flow)


def filled(world: World, times: int) -> World:
    for _ in range(times):
        world.reply(world.waiting()[0])
    return world


def test_a_run_that_fails_undoes_everything_newest_first_with_a_small_head() -> None:
    world = filled(loop(), 200)
    assert len(world.run.undos) < 10
    assert len(world.run.undo_pages) == 1
    world.reply(world.waiting()[0], "BAD")
    assert world.undo_all() == world.newest_first()
    assert world.run.status is Status.FAILED
    assert not world.run.undos
    assert not world.run.undo_pages
    assert world.largest < FEW_BYTES


def test_few_undos_are_stored_as_they_were_before_there_were_pages() -> None:
    world = filled(loop(), 5)
    assert (world.run.undo_pages, [undo.number for undo in world.run.undos]) == ((), [0] * 5)


def test_a_run_that_succeeds_keeps_no_pages() -> None:
    world = filled(loop(), 30)
    world.reply(world.waiting()[0], "SKIP")
    assert (world.run.status, world.run.undos, world.run.undo_pages) == (Status.SUCCEEDED, (), ())


def test_undos_that_fail_stay_and_are_retried_alone() -> None:
    world = filled(loop(), 30)
    world.event(RunStopped)
    assert world.undo_all("ERROR") == world.newest_first()
    assert (world.run.failed_undos, world.run.undo_pages) == (30, ())
    assert [undo.args["id"] for undo in world.run.undos] == list(world.done)


def test_undos_of_a_head_without_numbers_come_before_newer_ones() -> None:
    """A version without pages stored them all in the head."""
    world = loop()
    world.reply(world.waiting()[0])
    (first,) = world.run.undos
    old = tuple(msgspec.structs.replace(first, uuid=f"old-{number}", args={"id": number}) for number in range(-60, 0))
    run = msgspec.structs.replace(world.run, undos=(*old, first))
    world.decision = msgspec.structs.replace(world.decision, run=run)
    filled(world, 20)
    assert len(world.run.undos) < 10
    world.event(RunStopped)
    assert world.undo_all() == [*world.newest_first(), *range(-1, -61, -1)]


def test_pages_stay_if_the_output_of_a_run_cannot_be_made_and_it_is_retried() -> None:
    world = filled(loop(output=expression('$error("no output")')), 30)
    world.reply(world.waiting()[0], "SKIP")
    assert (world.run.status, world.undoing, len(world.run.undo_pages)) == (Status.FAILED, None, 1)
    world.event(RunRetried, step="A")
    world.event(RunStopped)
    assert world.undo_all() == world.newest_first()


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def items(count: int, most: int, *, tolerate: int = 0, keep: bool = False) -> EachStep:
    return EachStep(
        name="All",
        routes=(*route("DONE->Last|FAIL->stopped"), Route(state="TIMEOUT", target="Last")),
        items=list(range(count)),
        steps=(work("A", "OK->B|BAD->stopped|SKIP->done"), work("B", "OK->A|BAD->stopped|SKIP->done")),
        max=most,
        tolerate=tolerate,
        keep_abandoned=keep,
        timeout=10_000_000,
    )


def each_world(count: int, most: int, **more: Any) -> World:
    return World(items(count, most, **more), work("Last", "OK->All|BAD->stopped", undo=None))


@pytest.mark.parametrize("seed", range(20))
def test_items_that_end_in_any_order_are_undone_in_the_order_of_their_work(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - it draws an order
    most = rng.choice((2, 5, 10))
    world = each_world(30, most)
    while world.waiting("A") or world.waiting("B"):
        token = rng.choice(world.waiting())
        world.reply(token, "SKIP" if rng.random() < 0.15 else "OK")
    assert world.run.undo_pages
    assert world.largest < most * FEW_BYTES
    world.event(RunStopped)
    assert world.undo_all() == world.newest_first()
    assert world.run.undo_pages == ()


def test_a_tolerated_item_has_its_own_pages_undone_and_no_others() -> None:
    world = each_world(3, 3, tolerate=1)
    for _ in range(40):
        for token in world.waiting()[:2]:
            world.reply(token)
    first, second, third = world.waiting()
    assert {pages.token for pages in world.run.undo_pages} == {first.id, second.id}
    world.reply(first, "BAD")
    assert world.undo_all() == world.newest_first(first.id)
    assert {pages.token for pages in world.run.undo_pages} == {second.id}
    for token in (second, third):
        world.reply(token, "SKIP")
    (last,) = world.waiting("Last")
    assert {pages.token for pages in world.run.undo_pages} == {"0"}
    world.reply(last, "BAD")
    assert world.undo_all() == world.newest_first(second.id)


def test_what_is_due_keeps_its_scope_while_others_page() -> None:
    """While the work of a failed item is undone, pages are written for another one."""
    world = each_world(3, 3, tolerate=1)
    for _ in range(30):
        world.reply(world.waiting()[0])
    first, second, _ = world.waiting()
    world.reply(first, "BAD")
    for _ in range(30):
        world.reply(next(token for token in world.waiting() if token.id == second.id))
        run = world.run
        due = {undo.token for undo in run.undos if undo.is_due} | {
            pages.token for pages in run.undo_pages if pages.is_due
        }
        assert due == {first.id}
    assert world.undo_all() == world.newest_first(first.id)


def test_an_item_that_starts_anew_after_its_undo_failed_pages_again() -> None:
    world = each_world(1, 1, tolerate=1)
    for _ in range(40):
        world.reply(world.waiting()[0])
    world.reply(world.waiting()[0], "BAD")
    assert len(world.undo_all("ERROR")) == 40
    assert world.waiting("Last")
    assert world.run.failed_undos == 40


def race() -> World:
    slow = Branch(name="slow", steps=(work("A", "OK->A|SKIP->done"),))
    quick = Branch(name="quick", steps=(work("Q", "OK->Q|SKIP->done"),))
    fork = ForkStep(name="Race", routes=route("DONE->Again"), branches=(slow, quick), join=1)
    return World(fork, work("Again", "OK->Race|BAD->stopped", undo=None))


def test_a_lost_branch_has_the_work_of_this_visit_undone() -> None:
    world = race()
    for visit in range(3):
        began = world.answers
        for _ in range(20):
            for token in world.waiting():
                world.reply(token)
        world.reply(world.waiting("Q")[0], "SKIP")
        lost = [number for number in reversed(world.done) if number > began and world.done[number] == "0.slow"]
        assert world.undo_all() == lost
        world.undone += lost
        world.reply(world.waiting("Again")[0], "BAD" if visit == 2 else "OK")
        world.done.pop(world.answers, None)  # nothing undoes that step
    assert world.undo_all() == world.newest_first()


def test_a_branch_that_fails_the_run_leaves_nothing() -> None:
    slow = Branch(name="slow", steps=(work("A", "OK->A|BAD->stopped"),))
    quick = Branch(name="quick", steps=(work("Q", "OK->Q|SKIP->done"),))
    fork = ForkStep(name="Both", routes=route("DONE->done|FAIL->stopped"), branches=(slow, quick), join=2)
    world = World(work("First", "OK->Both"), fork)
    world.reply(world.waiting()[0])
    for _ in range(30):
        for token in world.waiting():
            world.reply(token)
    world.reply(world.waiting("A")[0], "BAD")
    assert world.undo_all() == world.newest_first()
    assert world.largest < 2 * FEW_BYTES


# ── other versions ───────────────────────────────────────────────────────────────────────────────────────────────────


def target(definition: Definition) -> Target:
    return Target(definition=definition, ref=DefinitionRef(flow="f", version=2, actions={"work": 1, "back": 1}))


def migrated(world: World, renamed: Mapping[str, str], actions: Mapping[str, Action] | None = None) -> World:
    flow = Flow(name="f", steps=(work("B", "OK->B|BAD->stopped|SKIP->done", undo=None),))
    definition = Definition(flow=flow, actions=actions or {"work": WORK, "back": BACK})
    world.event(RunMigrated, target=target(definition), steps=renamed)
    world.definition = definition
    return world


def test_paged_undos_move_to_another_version() -> None:
    world = migrated(filled(loop(), 60), {"A": "B"})
    assert (len(world.run.undos), len(world.run.undo_pages)) == (1, 1)
    world.event(RunStopped)
    assert world.undo_all() == world.newest_first()
    assert world.run.undone == ("B",)


def test_a_version_that_cannot_send_a_paged_undo_is_refused() -> None:
    world = filled(loop(), 60)
    before = world.run
    with pytest.raises(DoesNotFit, match="step 'A' is undone by action 'back'"):
        migrated(world, {"A": "B"}, actions={"work": WORK})
    assert world.run is before


def test_a_run_moves_while_paged_work_of_a_lost_branch_is_undone() -> None:
    """The undo that is under way stays in the head, and the others stay due."""
    world = race()
    for _ in range(20):
        for token in world.waiting():
            world.reply(token)
    world.reply(world.waiting("Q")[0], "SKIP")
    assert world.undoing == 39
    world.event(RunMigrated, target=target(world.definition))
    assert world.undo_all() == list(range(39, 0, -2))
    assert world.waiting("Again")


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_is_stored_and_read() -> None:
    undo = PendingUndo(step="A", action="back", args={"id": 1}, state="OK", uuid="u", number=3)
    page = UndoPage(undos=(undo,), others=(UndoPages(key="undos/1", newest=2, token="0.a"),))
    value: Json = msgspec.json.decode(msgspec.json.encode(page_value(page)))
    assert page_of(value) == page
    assert page_key(page_of(value)) == page_key(page)
    assert page_key(UndoPage(undos=(undo,))) != page_key(page)


def test_an_undo_that_is_larger_than_a_page_is_paged() -> None:
    large = Undo(action="back", args={"id": expression("$result.id"), "x": "x" * 5 * MAX_BYTES}, states=("OK",))
    world = World(work("A", "OK->A|BAD->stopped", undo=large))
    filled(world, 3)
    assert [len(world.run.undos), len(world.run.undo_pages)] == [1, 1]
    world.event(RunStopped)
    assert world.undo_all() == [3, 2, 1]
