"""moto as a server whose Step Functions run machines: `python -m bench.machine.apps.moto_app` prints its URL.

In 5.2.5 tasks of API Gateway do not work: the method gets a parameter by another name than it has, and of the
parameters of the state only two reach it. Both are mended here, so that a task sends its path and its body.
"""

import threading
from typing import Any, Final

from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_api_gateway

_Task: Any = state_task_service_api_gateway.StateTaskServiceApiGateway
_PARAMETERS: Final = {"ApiEndpoint", "Method", "Headers", "Stage", "Path", "QueryParameters", "RequestBody"}


def with_credentials(call: Any) -> Any:
    """Return the task's method with the parameter's name that its caller uses."""

    def called(self: Any, state_credentials: Any, **given: Any) -> None:
        call(self, **given, task_credentials=state_credentials)

    return called


if __name__ == "__main__":
    _Task._eval_service_task = with_credentials(_Task._eval_service_task)
    _Task._SUPPORTED_API_PARAM_BINDINGS["invoke"] = _PARAMETERS
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - to who started it
    threading.Event().wait()
