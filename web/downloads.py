"""Files that are made while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from urllib.parse import quote

from flask import Response

from smsgateway.purse.export import TYPES, Cell, chunks


def download(
    form: str, title: str, day: date, header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]
) -> Response:
    """A table of format `form` (csv, xlsx) named `title` and `day`. `rows` is called once the answer is under way: it
    opens a session of its own."""

    def body() -> Iterator[bytes]:
        yield from chunks(form, title, header, rows())

    answer = Response(body(), content_type=TYPES[form])
    name_file(answer, f"{title} {day:%Y-%m-%d}.{form}")
    return answer


def name_file(answer: Response, name: str, *, inline: bool = False) -> None:
    """Tell the browser the file's name, Chinese too (RFC 6266)."""
    plain = name.encode("ascii", "ignore").decode().replace('"', "").strip() or "file"
    how = "inline" if inline else "attachment"
    answer.headers["Content-Disposition"] = f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
