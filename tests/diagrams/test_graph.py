"""The diagrams of flows and runs: contents, well-formed output, and boxes that do not overlap."""

from __future__ import annotations

import itertools
import json
from pathlib import Path as File
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.diagrams import Graph, Path, as_json, dot, graph_of, listing, mermaid, path_of, svg
from chalicelib.diagrams.layout import Box, draw
from chalicelib.language import KnownNames, read
from chalicelib.model.flow import (
    ActionStep,
    Branch,
    EachStep,
    Flow,
    FlowRun,
    ForkStep,
    Route,
    Step,
    TimerStep,
)
from chalicelib.model.history import Entry
from chalicelib.model.run import DefinitionRef, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.templates import expression

SVG = "{http://www.w3.org/2000/svg}"
DOCUMENTS = sorted((File(__file__).parents[1] / "language" / "valid").glob("*.fsl"))


def action_step(name: str, *routes: tuple[str, str]) -> ActionStep:
    return ActionStep(name=name, action="work", routes=tuple(Route(state=state, target=to) for state, to in routes))


SMALL = Flow(
    name="small",
    steps=(
        action_step("A", ("OK", "B"), ("FAIL", "A")),
        EachStep(
            name="B",
            routes=(Route(state="DONE", target="done"), Route(target="stopped")),
            items=expression("$input.files"),
            steps=(TimerStep(name="W", routes=(Route(state="DONE", target="done"),), duration=90_000),),
        ),
    ),
)
ON_THE_WAY = Path({"A": 3}, {("A", "FAIL", "A"): 2, ("A", "OK", "B"): 1}, frozenset({"B", "W"}))


def flows_of(path: File) -> list[Flow]:
    checked = read(path.read_bytes().decode("utf-8"), KnownNames())
    values = [one.value.steps if isinstance(one.value, FlowRun) else one.value for one in checked.statements]
    return [value for value in values if isinstance(value, Flow)]


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - we made it ourselves


FLOWS = [flow for path in DOCUMENTS for flow in flows_of(path)]


def test_mermaid() -> None:
    assert mermaid(graph_of(SMALL, ON_THE_WAY)) == (
        "stateDiagram-v2\n"
        '    state "A#58; work" as s1\n'
        '    state "B#58; each of $input.files" as s2\n'
        "    state s2 {\n"
        '        state "W#58; for 90s" as s6\n'
        "        [*] --> s6\n"
        "        s6 --> [*] : DONE\n"
        "    }\n"
        '    state "stopped" as s4\n'
        "    [*] --> s1\n"
        "    s1 --> s2 : OK\n"
        "    s1 --> s1 : FAIL\n"
        "    s2 --> [*] : DONE\n"
        "    s2 --> s4 : else\n"
        "    classDef current fill:#dbeafe,stroke:#1d4ed8\n"
        "    class s2,s6 current\n"
        "    classDef visited fill:#f0fdf4,stroke:#15803d\n"
        "    class s1 visited\n"
    )


def test_listing() -> None:
    assert listing(graph_of(SMALL, ON_THE_WAY)) == (
        "small\n"
        "  * A  (work)\n"
        "      OK -> B  [1]\n"
        "      FAIL -> A  [2]\n"
        "  > B  (each of $input.files)\n"
        "        > W  (for 90s)\n"
        "            DONE -> done\n"
        "      DONE -> done\n"
        "      else -> stopped\n"
    )


def test_dot_and_json() -> None:
    graph = graph_of(SMALL, ON_THE_WAY)
    text = dot(graph)
    assert text.count("{") == text.count("}")
    assert '"step:A" -> "step:B" [label="OK", color=forestgreen, penwidth=2];' in text
    assert json.loads(json.dumps(as_json(graph)))["edges"][1] == {
        "source": "step:A",
        "target": "step:B",
        "scope": "",
        "labels": ["OK"],
        "visits": 1,
    }


def test_routes_to_one_target_are_one_edge() -> None:
    flow = Flow(name="f", steps=(action_step("A", ("OK", "done"), ("NO", "A"), ("MAYBE", "done")),))
    assert [edge.labels for edge in graph_of(flow).edges] == [(), ("OK", "MAYBE"), ("NO",)]


def test_a_step_may_have_any_name() -> None:
    strange = 'begin:<&"\\ \x07'
    graph = graph_of(Flow(name="</svg>", steps=(action_step(strange, ("<b>", "done"), ("#;:{}", strange)),)))
    assert [one.text for one in parsed(svg(graph)).iter(f"{SVG}text")][:2] == [
        "</svg>",
        'begin:<&"\\  ',
    ]
    assert '"s0' not in dot(graph)
    assert mermaid(graph).count("\n") == 5


def entry(seq: int, step: str, state: str, target: str) -> Entry:
    return Entry(seq=seq, at=seq, event="StepAcked", step=step, origin=step, state=state, target=target)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILED])
def test_the_path_of_a_run(status: Status) -> None:
    run = Run(
        namespace="n", name="r", id="1", status=status, definition=DefinitionRef(), created_at=1, updated_at=1,
        tokens=(Token(step="B"),),
    )  # fmt: skip
    begun = Entry(seq=1, at=1, event="RunStarted", step="A", origin="ready", target="A")
    path = path_of(run, [begun, entry(2, "A", "FAIL", "A"), entry(3, "A", "OK", "B")])
    assert path.moves == {("A", "FAIL", "A"): 1, ("A", "OK", "B"): 1}
    assert path.steps == {"A": 2}
    stands = frozenset({"B"})
    assert (path.current, path.failed) == ((stands, frozenset()) if status is Status.RUNNING else (frozenset(), stands))


def overlap(one: Box, other: Box) -> bool:
    across = one.x < other.x + other.width - 0.1 and other.x < one.x + one.width - 0.1
    return across and one.y < other.y + other.height - 0.1 and other.y < one.y + one.height - 0.1


def inside(one: Box, other: Box) -> bool:
    within = other.x - 0.1 <= one.x and one.x + one.width <= other.x + other.width + 0.1
    return within and other.y - 0.1 <= one.y and one.y + one.height <= other.y + other.height + 0.1


def is_well_drawn(graph: Graph) -> None:
    drawing = draw(graph)
    for one, other in itertools.combinations(drawing.boxes, 2):
        assert not overlap(one, other) or (one.holds and inside(other, one))
    for box in drawing.boxes:
        assert inside(box, Box(None, None, 0, 0, drawing.width, drawing.height))
    assert len(drawing.connectors) == len(graph.edges)
    picture = svg(graph)
    assert picture == svg(graph)
    root = parsed(picture)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "g", "circle",
    }  # fmt: skip
    assert len([one for one in root.iter(f"{SVG}path") if one.get("marker-end")]) == len(graph.edges)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_the_flows_of_the_goldens_are_drawn_well(flow: Flow) -> None:
    graph = graph_of(flow)
    is_well_drawn(graph)
    assert mermaid(graph).startswith("stateDiagram-v2\n")
    assert dot(graph).count(" -> ") >= len(graph.edges)
    assert flow.name in listing(graph)


def test_what_a_run_did_is_marked() -> None:
    classes = [one.get("class") for one in parsed(svg(graph_of(SMALL, ON_THE_WAY))).iter()]
    assert "step action visited" in classes
    assert "step each current" in classes
    assert classes.count("way went") == 4
    failed = graph_of(SMALL, Path(failed=frozenset({"A"})))
    assert "step action failed" in svg(failed)


@st.composite
def scopes(draw: st.DrawFn, prefix: str = "S", depth: int = 2) -> tuple[Step, ...]:
    names = [f"{prefix}{n}" for n in range(draw(st.integers(1, 5)))]
    target = st.sampled_from([*names, "done", "stopped"])
    found: list[Step] = []
    for name in names:
        routes = tuple(
            Route(state=f"STATE_{n}", target=to) for n, to in enumerate(draw(st.lists(target, min_size=1, max_size=4)))
        )
        kind = draw(st.sampled_from(["step", "step", "fork", "each"])) if depth else "step"
        if kind == "fork":
            branches = tuple(
                Branch(name=f"b{n}", steps=draw(scopes(f"{name}_{n}_", depth - 1)))
                for n in range(draw(st.integers(1, 2)))
            )
            found.append(ForkStep(name=name, routes=routes, branches=branches, join=1))
        elif kind == "each":
            nested = draw(scopes(f"{name}_", depth - 1))
            found.append(EachStep(name=name, routes=routes, items=[1], steps=nested))
        else:
            found.append(ActionStep(name=name, routes=routes, action="work"))
    return tuple(found)


@settings(max_examples=30, deadline=None)
@given(scopes())
def test_any_flow_is_drawn_well(steps: tuple[Step, ...]) -> None:
    is_well_drawn(graph_of(Flow(name="any", steps=steps)))


@settings(max_examples=40, deadline=None)
@given(scopes(), st.randoms())
def test_boxes_of_a_row_keep_the_order_of_an_earlier_drawing(steps: tuple[Step, ...], random: Random) -> None:
    graph = graph_of(Flow(name="f", steps=steps))
    order = [node.id for node in graph.nodes]
    random.shuffle(order)
    rows: dict[tuple[str, float], list[Box]] = {}
    drawing = draw(graph, order)
    for box in drawing.boxes:
        if box.node is not None:
            rows.setdefault((box.node.scope, box.y + box.height / 2), []).append(box)
    for row in rows.values():
        found = [box.node.id for box in sorted(row, key=lambda one: one.x) if box.node and box.node.id in order]
        assert found == sorted(found, key=order.index)
    again = draw(graph, [box.node.id for box in sorted(drawing.boxes, key=lambda one: one.x) if box.node])
    assert [(box.x, box.y) for box in again.boxes] == [(box.x, box.y) for box in drawing.boxes]


def test_a_large_flow_is_drawn_in_time() -> None:
    def steps(count: int) -> tuple[Step, ...]:
        return tuple(
            action_step(f"S{n}", ("OK", f"S{n + 1}" if n < count - 1 else "done"), ("NO", "stopped"), ("UP", "S0"))
            for n in range(count)
        )

    small, large = (len(svg(graph_of(Flow(name="f", steps=steps(count))))) for count in (50, 400))
    assert large < 12 * small
