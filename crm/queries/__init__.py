"""What is read of customers and leads for screens; nothing here writes."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Select


def typed(query: Any) -> Select[Any]:
    """A query of several columns under the one type that pages take (`Select` counts its columns since 2.1)."""
    return cast("Select[Any]", query)
