"""The flow as a handler of Restate's SDK under hypercorn: `python -m bench.machine.restate_app URL` prints its own."""

import asyncio
import json
import socket
import sys

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bench.machine.http_pool import HttpPool
from bench.machine.library import STEPS

SERVICE = sys.argv[1]
flow = restate.Service("flow")
pool = HttpPool()


@flow.handler()
async def run(context: restate.Context, _given: int) -> int:
    for number in range(STEPS):
        await context.run_typed(f"s{number}", work, number=number)
    return STEPS


async def work(number: int) -> dict[str, int]:
    status, body = await pool.post(f"{SERVICE}/rest", json.dumps({"i": number}).encode())
    if status != 200:
        raise RuntimeError(f"the service answered {status}")
    answer: dict[str, int] = json.loads(body)
    return answer


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = None
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - to who started it
    await serve(restate.app([flow]), config)


if __name__ == "__main__":
    asyncio.run(main())
