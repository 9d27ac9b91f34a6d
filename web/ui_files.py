"""Serves the built interface. Files under `assets/` carry a hash of their content in their names and may be kept for
ever; every other address that no endpoint takes answers with `index.html`, where the browser's router goes on."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from callcenter.config import ROOT

DIST = Path(os.environ.get("UI_DIST", ROOT / "web" / "ui" / "dist"))
# Styles: Element Plus and ECharts set inline ones. Blobs and data: recordings, waveforms and charts made in the page.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
)
_NOT_BUILT = "The interface is not built. Run `make ui` (or `npm run build` in web/ui), then load this page again."


def install(app: Flask) -> None:
    """Add the routes of the interface to `app`."""

    @app.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        response = send_from_directory(DIST / "assets", name)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.get("/")
    @app.get("/<path:path>")
    def page(path: str = "") -> Response:
        if request.path.startswith(("/api/", "/socket.io/")):
            raise NotFound
        if path and "." in path.rsplit("/", 1)[-1] and (DIST / path).is_file():
            return send_from_directory(DIST, path, max_age=3600)
        if not (DIST / "index.html").is_file():
            return Response(_NOT_BUILT, 503, content_type="text/plain")
        response = send_from_directory(DIST, "index.html")
        response.headers["Cache-Control"] = "no-cache"
        return response
