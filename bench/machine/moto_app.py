"""moto as a server whose Step Functions run machines: `python -m bench.machine.moto_app` prints its URL."""

import threading
from typing import Any

from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_api_gateway

_Task: Any = state_task_service_api_gateway.StateTaskServiceApiGateway


def with_credentials(call: Any) -> Any:
    """Return the task's method with the parameter's name that its caller uses: in 5.2.5 they differ."""

    def called(self: Any, state_credentials: Any, **given: Any) -> None:
        call(self, **given, task_credentials=state_credentials)

    return called


if __name__ == "__main__":
    _Task._eval_service_task = with_credentials(_Task._eval_service_task)
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - to who started it
    threading.Event().wait()
