"""The same walks and expressions with the peers' libraries: `PYTHON -m bench.engine.peer_program LIBRARY`.

It runs with the Python of `requirements-engine.txt`, and imports nothing of Echoer. `transitions` has one machine for
all objects, which is quicker than one for each. What is read from JSON is a new object, as in a process that has just
read it: `transitions` takes it by `add_model`, `python-statemachine` by `start_value`. `kept` is what `transitions` can
do where the object stays in memory: it is only set to the state that was read.
"""

# mypy: ignore-errors
import json
import sys
from functools import partial

from bench.engine.samples import EXPRESSIONS, LIMIT, ORDER, STATES
from bench.engine.serving import serve


class Order:
    """What `transitions` moves."""

    amount = 0

    def is_small(self, amount):
        return amount < LIMIT

    def keep(self, amount):
        self.amount = amount


def transitions_cases():
    from transitions import Machine

    def machine(states):
        names = [*(f"S{number}" for number in range(states)), "done"]
        made = Machine(model=None, states=names, initial="S0", auto_transitions=False)
        for number in range(states):
            made.add_transition("ok", names[number], names[number + 1], conditions="is_small", before="keep")
        return made

    def walk(made, states):
        order = Order()
        made.add_model(order)
        for number in range(states):
            order.ok(number)
        made.remove_model(order)
        return _ended(order.state, "done", states)

    def stored(made, states):
        data = json.dumps({"state": "S0", "amount": 0})
        for number in range(states):
            read = json.loads(data)
            order = Order()
            made.add_model(order, initial=read["state"])
            order.amount = read["amount"]
            order.ok(number)
            data = json.dumps({"state": order.state, "amount": order.amount})
            made.remove_model(order)
        return _ended(order.state, "done", states)

    def kept(made, states):
        order = Order()
        made.add_model(order)
        data = json.dumps({"state": order.state, "amount": order.amount})
        for number in range(states):
            read = json.loads(data)
            made.set_state(read["state"], order)
            order.amount = read["amount"]
            order.ok(number)
            data = json.dumps({"state": order.state, "amount": order.amount})
        made.remove_model(order)
        return _ended(order.state, "done", states)

    return _walks(machine, walk, stored) | {
        f"kept-{states}": partial(kept, machine(states), states) for states in STATES
    }


def statemachine_cases():
    from statemachine import State, StateMachine

    def machine(states):
        known = [State(initial=number == 0, final=number == states) for number in range(states + 1)]
        event = None
        for number in range(states):
            step = known[number].to(known[number + 1], cond="is_small", on="keep")
            event = step if event is None else event | step
        members = {f"s{number}": state for number, state in enumerate(known)}
        members |= {"ok": event, "is_small": Order.is_small, "keep": Order.keep, "amount": 0}
        return type(StateMachine)(f"Walk{states}", (StateMachine,), members)

    def walk(made, states):
        order = made()
        for number in range(states):
            order.ok(amount=number)
        return _ended(order.current_state_value, f"s{states}", states)

    def stored(made, states):
        order = made()
        data = json.dumps({"state": order.current_state_value, "amount": order.amount})
        for number in range(states):
            read = json.loads(data)
            order = made(start_value=read["state"])
            order.amount = read["amount"]
            order.ok(amount=number)
            data = json.dumps({"state": order.current_state_value, "amount": order.amount})
        return _ended(order.current_state_value, f"s{states}", states)

    return _walks(machine, walk, stored)


def _walks(machine, walk, stored):
    found = {}
    for states in STATES:
        found[f"walk-{states}"] = partial(walk, machine(states), states)
        found[f"stored-{states}"] = partial(stored, machine(states), states)
    return found


def _ended(state, wanted, states):
    if state != wanted:
        raise RuntimeError(f"the walk ended in {state}")
    return states


def jsonata_cases():
    from jsonata import Jsonata

    def evaluate(parsed, frame):
        parsed.evaluate(None, frame)
        return 1

    def parse(source):
        Jsonata(source)
        return 1

    found = {}
    for name, source in EXPRESSIONS.items():
        parsed = Jsonata(source)
        frame = parsed.create_frame()
        frame.bind("input", ORDER)
        found[f"evaluate-{name}"] = partial(evaluate, parsed, frame)
        found[f"parse-{name}"] = partial(parse, source)
    return found


LIBRARIES = {"transitions": transitions_cases, "statemachine": statemachine_cases, "jsonata": jsonata_cases}

if __name__ == "__main__":
    serve(LIBRARIES[sys.argv[1]]())
