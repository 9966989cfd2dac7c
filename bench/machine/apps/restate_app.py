"""The flow as handlers of Restate's SDK under hypercorn: `python -m bench.machine.apps.restate_app WORKERS`.

It prints its URL. `BENCH_SERVICE` and `BENCH_INGRESS` are the URLs of the service and of Restate's ingress.
By callback, a handler makes an awakeable, hands the work over with its id, and waits for it; the answer resolves it
through Restate's ingress.
"""

import json
import os
import socket
import sys
from typing import Any, Final

import restate
from hypercorn.config import Config
from hypercorn.run import run

from bench.machine.apps.http_pool import HttpPool
from bench.machine.load import STEPS

SERVICE, INGRESS = os.environ["BENCH_SERVICE"], os.environ["BENCH_INGRESS"]
UNLIMITED: Final = 2_147_483_647
flow = restate.Service("flow")
pool = HttpPool()


@flow.handler()
async def direct(context: restate.Context, _given: int) -> int:
    for number in range(STEPS):
        await context.run_typed(f"s{number}", work, number=number)
    return STEPS


@flow.handler()
async def callback(context: restate.Context, _given: int) -> int:
    for number in range(STEPS):
        name, answered = context.awakeable()
        await context.run_typed(f"s{number}", hand_over, number=number, name=name)
        await answered
    return STEPS


async def work(number: int) -> dict[str, int]:
    answer: dict[str, int] = await post("/rest", {"i": number})
    return answer


async def hand_over(number: int, name: str) -> None:
    await post("/later", {"i": number, "url": f"{INGRESS}/restate/awakeables/{name}/resolve"})


async def post(path: str, given: object) -> Any:
    status, body = await pool.post(f"{SERVICE}{path}", json.dumps(given).encode())
    if status != 200:
        raise RuntimeError(f"the service answered {status}")
    return json.loads(body)


app = restate.app([flow])


def main(workers: int) -> None:
    """Serve in so many processes, with what Restate's documentation sets for production."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = Config()
    config.application_path = "bench.machine.apps.restate_app:app"
    config.bind = [f"fd://{listener.fileno()}"]
    config.workers = workers
    config.errorlog = None
    config.h2_max_concurrent_streams = config.keep_alive_max_requests = config.keep_alive_timeout = UNLIMITED
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - to who started it
    run(config)


if __name__ == "__main__":
    main(int(sys.argv[1]))
