"""HTTP: another system is asked, and fields of its JSON answer become variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from callcenter.calls import control as c
from ivr.prompts import fill, words
from ivr.state import Run
from ivr.verb import Kind, Need, Prompts, Verb, Way, Wrong, setting

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
GRACE_S = 2.0  # beyond the time-out: then the answer is taken for lost
STATUS = "http_status"
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")


@dataclass(frozen=True)
class Http(Verb):
    """`url` and `body` with variables filled in, escaped as their place wants it. 200–299 within `timeout_s` is
    "next", with the `fields` that were found in variables; everything else "error". The variable http_status is set
    always (0: no answer). `prompts` are heard, again and again, meanwhile."""

    name = "http"
    needs = (Need.OUTSIDE,)

    method: str = setting(Kind.CHOICE, "GET", choices=METHODS)
    url: str = setting(Kind.TEMPLATE, "", required=True, high=2000)
    headers: Mapping[str, str] = setting(Kind.HEADERS, {})
    body: str = setting(Kind.TEMPLATE, "", high=4000)
    timeout_s: float = setting(Kind.SECONDS, 5.0, low=0.5, high=30, unit="s")
    fields: Mapping[str, str] = setting(Kind.FIELDS, {})
    prompts: Prompts = setting(Kind.PROMPTS, {})

    def ways(self) -> tuple[Way, ...]:
        return Way("next"), Way("error")

    def enter(self, run: Run) -> str | None:
        run.play_all(run.chosen(self.prompts), loop=True)
        values = run.values()
        run.data["stage"] = run.unique()
        quoted = {k: quote(words(v), safe="") for k, v in values.items()}
        escaped = {k: _in_json(v) for k, v in values.items()} if self.json else values
        run.answers.append(
            c.Http(
                run.data["stage"], self.method, fill(self.url, quoted),
                {k: _in_header(fill(v, values)) for k, v in self.headers.items()}, fill(self.body, escaped),
                self.timeout_s, dict(self.fields),
            )
        )  # fmt: skip
        run.wait(self.timeout_s + GRACE_S)
        return None

    def on(self, run: Run, turn: c.Turn) -> str | None:
        match turn:
            case c.HttpDone() if turn.name == run.data["stage"]:
                run.put(STATUS, turn.status)
                for name in self.fields:
                    if name in turn.fields:
                        run.put(name, str(turn.fields[name]))
                return "next" if 200 <= turn.status < 300 else "error"
            case c.TimerFired():
                run.put(STATUS, 0)
                return "error"
        return None

    def resume(self, run: Run) -> str | None:
        run.put(STATUS, 0)
        return "error"  # whether the other system was asked is not known, and to ask it twice may do harm

    @property
    def json(self) -> bool:
        """Whether the body is JSON: it looks like it."""
        return self.body.lstrip().startswith(("{", "["))

    def check(self) -> Iterator[Wrong]:
        """The host is fixed: what a caller keys must not choose whom we ask."""
        try:
            parts = urlsplit(self.url)
            host = parts.hostname or ""
        except ValueError:
            parts, host = urlsplit(""), ""
        if self.url and (parts.scheme not in ("http", "https") or not host or "{" in parts.netloc):
            yield Wrong("bad_url", where="url")
        for name in self.headers:
            if not _HEADER.fullmatch(name):
                yield Wrong("bad_header", {"name": name}, "headers")

    def sets(self) -> Iterator[str]:
        yield STATUS
        yield from super().sets()


def _in_json(value: object) -> str:
    return json.dumps(words(value), ensure_ascii=False)[1:-1]


def _in_header(value: str) -> str:
    return "".join(ch for ch in value if ch >= " ")[:1000]
