"""The HTTP calls and the modules of their views. Generated from the routes; do not edit.

After a change of a route, run `python -m scripts.api_calls`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Call(NamedTuple):
    """One HTTP call: its method, its path, and the module that has its `Route`.

    A public call needs no caller; action services make callbacks to answer steps.
    """

    method: str
    path: str
    module: str
    is_public: bool = False
    is_callback: bool = False


CALLS: Final = (
    Call("GET", "/", "chalicelib.entrypoints.http.views.console", is_public=True),
    Call("GET", "/console/{file}", "chalicelib.entrypoints.http.views.console", is_public=True),
    Call("GET", "/healthz", "chalicelib.entrypoints.http.views.server", is_public=True),
    Call("GET", "/me", "chalicelib.entrypoints.http.views.server"),
    Call("GET", "/openapi.json", "chalicelib.entrypoints.http.views.server", is_public=True),
    Call("GET", "/docs", "chalicelib.entrypoints.http.views.server", is_public=True),
    Call("POST", "/command", "chalicelib.entrypoints.http.terminal.route"),
    Call("GET", "/doctor", "chalicelib.entrypoints.http.views.doctor"),
    Call("POST", "/doctor/repair", "chalicelib.entrypoints.http.views.doctor"),
    Call("POST", "/fsl", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/action", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/action", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/action/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/action/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/action/{name}/{uuid}", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/flow", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/flow", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/flow/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/flow/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/flow/{name}/{uuid}", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/eventtype", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/eventtype", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/eventtype/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/eventtype/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/eventtype/{name}/{uuid}", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/config", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/config", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/config/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/config/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/config/{name}/{uuid}", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/hook", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/hook", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/hook/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/hook/{name}", "chalicelib.entrypoints.http.views.definitions"),
    Call("DELETE", "/hook/{name}/{uuid}", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/hook/{name}/deliveries", "chalicelib.entrypoints.http.views.definitions"),
    Call("POST", "/flowrun", "chalicelib.entrypoints.http.views.definitions"),
    Call("GET", "/flow/{name}/versions", "chalicelib.entrypoints.http.views.versions"),
    Call("GET", "/action/{name}/versions", "chalicelib.entrypoints.http.views.versions"),
    Call("GET", "/flow/{name}/diff", "chalicelib.entrypoints.http.views.versions"),
    Call("GET", "/flow/{name}/schema", "chalicelib.entrypoints.http.views.versions"),
    Call("POST", "/action/{name}/pause", "chalicelib.entrypoints.http.views.holds"),
    Call("POST", "/action/{name}/continue", "chalicelib.entrypoints.http.views.holds"),
    Call("POST", "/flow/{name}/pause", "chalicelib.entrypoints.http.views.holds"),
    Call("POST", "/flow/{name}/continue", "chalicelib.entrypoints.http.views.holds"),
    Call("GET", "/flow/{name}/graph", "chalicelib.entrypoints.http.views.graphs"),
    Call("GET", "/flowrun/{name}/graph", "chalicelib.entrypoints.http.views.graphs"),
    Call("POST", "/analyze", "chalicelib.entrypoints.http.views.authoring"),
    Call("POST", "/play", "chalicelib.entrypoints.http.views.authoring"),
    Call("GET", "/flowrun", "chalicelib.entrypoints.http.views.run_lists"),
    Call("GET", "/flowrun/count", "chalicelib.entrypoints.http.views.run_lists"),
    Call("POST", "/flow/{name}/runs", "chalicelib.entrypoints.http.views.runs"),
    Call("GET", "/flowrun/{name}", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/pause", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/continue", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/stop", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/retry", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/migrate", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/goto", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/vars", "chalicelib.entrypoints.http.views.runs"),
    Call("POST", "/flowrun/{name}/labels", "chalicelib.entrypoints.http.views.runs"),
    Call("DELETE", "/flowrun/{name}", "chalicelib.entrypoints.http.views.runs"),
    Call("DELETE", "/flowrun/{name}/{uuid}", "chalicelib.entrypoints.http.views.runs"),
    Call("GET", "/flowrun/{name}/history", "chalicelib.entrypoints.http.views.histories"),
    Call("GET", "/flowrun/{name}/watch", "chalicelib.entrypoints.http.views.histories"),
    Call("GET", "/flowrun/{name}/value", "chalicelib.entrypoints.http.views.values"),
    Call("GET", "/flowrun/{name}/value/{key}", "chalicelib.entrypoints.http.views.values"),
    Call("POST", "/batch", "chalicelib.entrypoints.http.views.batches"),
    Call("GET", "/batch", "chalicelib.entrypoints.http.views.batches"),
    Call("GET", "/batch/{batch_id}", "chalicelib.entrypoints.http.views.batches"),
    Call("POST", "/batch/{batch_id}/stop", "chalicelib.entrypoints.http.views.batches"),
    Call("GET", "/flowrun/{name}/activation/{uuid}", "chalicelib.entrypoints.http.views.activations"),
    Call("GET", "/flowrun/{name}/items", "chalicelib.entrypoints.http.views.items"),
    Call("GET", "/flowrun/{name}/cost", "chalicelib.entrypoints.http.views.items"),
    Call("GET", "/task", "chalicelib.entrypoints.http.views.steps"),
    Call("POST", "/step", "chalicelib.entrypoints.http.views.steps", is_callback=True),
    Call("POST", "/step/{name}", "chalicelib.entrypoints.http.views.steps", is_callback=True),
    Call("GET", "/step", "chalicelib.entrypoints.http.views.steps"),
    Call("GET", "/step/{name}", "chalicelib.entrypoints.http.views.steps"),
    Call("GET", "/task/{link}", "chalicelib.entrypoints.http.views.steps", is_public=True),
    Call("POST", "/task/{link}/answer", "chalicelib.entrypoints.http.views.steps", is_public=True),
    Call("POST", "/flowrun/{name}/signal", "chalicelib.entrypoints.http.views.events"),
    Call("POST", "/event", "chalicelib.entrypoints.http.views.events"),
    Call("GET", "/event", "chalicelib.entrypoints.http.views.events"),
    Call("POST", "/schedule", "chalicelib.entrypoints.http.views.schedules"),
    Call("GET", "/schedule", "chalicelib.entrypoints.http.views.schedules"),
    Call("GET", "/schedule/{name}", "chalicelib.entrypoints.http.views.schedules"),
    Call("GET", "/schedule/{name}/next", "chalicelib.entrypoints.http.views.schedules"),
    Call("POST", "/schedule/{name}/pause", "chalicelib.entrypoints.http.views.schedules"),
    Call("POST", "/schedule/{name}/continue", "chalicelib.entrypoints.http.views.schedules"),
    Call("POST", "/schedule/{name}/run", "chalicelib.entrypoints.http.views.schedules"),
    Call("POST", "/schedule/{name}/backfill", "chalicelib.entrypoints.http.views.schedules"),
    Call("DELETE", "/schedule/{name}", "chalicelib.entrypoints.http.views.schedules"),
    Call("DELETE", "/schedule/{name}/{uuid}", "chalicelib.entrypoints.http.views.schedules"),
    Call("GET", "/timer", "chalicelib.entrypoints.http.views.timers"),
    Call("GET", "/watch", "chalicelib.entrypoints.http.views.watch"),
    Call("PUT", "/secret/{name}", "chalicelib.entrypoints.http.views.secrets"),
    Call("GET", "/secret", "chalicelib.entrypoints.http.views.secrets"),
    Call("DELETE", "/secret/{name}", "chalicelib.entrypoints.http.views.secrets"),
    Call("POST", "/token", "chalicelib.entrypoints.http.views.tokens"),
    Call("GET", "/token", "chalicelib.entrypoints.http.views.tokens"),
    Call("DELETE", "/token/{token_id}", "chalicelib.entrypoints.http.views.tokens"),
    Call("POST", "/", "chalicelib.entrypoints.http.views.aws_sdk", is_callback=True),
)
