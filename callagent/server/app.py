# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: signalling, HTTP and the pages."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from callagent.protocol.errors import CallAgentError
from callagent.server.http import create_router, on_bad_body, on_failure
from callagent.server.rest.app import add_rest
from callagent.server.service import CallService
from callagent.server.signalling import signal

WEB_ROOT = Path(__file__).resolve().parent / "web"


class Pages(StaticFiles):
    """Files a browser asks about every time: after an upgrade it must not mix old modules with new ones."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(service: CallService, web_root: Path | None = None) -> FastAPI:
    """`service` is opened, started and closed by the caller.

    `web_root` holds `phone/`, `sdk/` and `admin/`; None: those of this package.
    """
    # /docs without asking a stranger's server for its scripts.
    app = FastAPIOffline(
        title="callagent call service", version=service.version, redoc_url=None, static_url="/docs/static"
    )
    app.state.service = service
    app.include_router(create_router(service))
    add_rest(app)
    app.add_exception_handler(CallAgentError, on_failure)
    app.add_exception_handler(RequestValidationError, on_bad_body)
    app.add_api_websocket_route("/v1/signal", signal)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/phone/")

    root = web_root if web_root is not None else WEB_ROOT
    for name in ("phone", "sdk", "admin"):
        app.mount(f"/{name}", Pages(directory=root / name, html=True, check_dir=False), name=name)
    return app
