"""Prints the API's OpenAPI document: `python -m web.openapi`. Needs no database; the UI's types are made of it."""

from __future__ import annotations

import dataclasses
import json
import sys

from callcenter import config
from web.app import create_app


def main() -> None:
    """Write the document to standard output."""
    app = create_app(dataclasses.replace(config.load(), secret_key="not used", redis_url=""))
    document = app.test_client().get("/api/openapi.json").get_json()
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    main()
