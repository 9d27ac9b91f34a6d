"""Whose words a text is searched for: the built-in ones that are on and the enterprise's own, kept in each process.

words:{tenant}    version of the enterprise's words; a new one is written after every change (outbox topic "settings",
                  entity "words"), so that every process searches by the new words with its next batch
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.db.session import tenant_session
from callcenter.events import streams
from smsgateway.models import BuiltInWordOff, SensitiveWord, WordException
from smsgateway.words import shipped
from smsgateway.words.matcher import Entry, Matcher

MOST_KEPT: Final = 64  # enterprises whose matcher a process keeps; one with 20,000 words takes about 8 MB


def key(tenant: int) -> str:
    """Key of the version of the enterprise's words."""
    return f"words:{tenant}"


def changed(tenant: int) -> None:
    """Tell every process that the enterprise's words have changed."""
    streams.client().set(key(tenant), ids.new_id())


def load(session: Session) -> Matcher:
    """The search by the words as they are in the tables now."""
    off = set(session.scalars(select(BuiltInWordOff.key)))
    own = session.execute(select(SensitiveWord.word, SensitiveWord.category).where(SensitiveWord.enabled.is_(True)))
    entries = [Entry(word, category) for word, category in own]
    entries += [Entry(b.key, b.category) for b in in_force(off)]
    return Matcher(entries, [*session.scalars(select(WordException.phrase)), *shipped.phrases()])


def in_force(off: set[str]) -> Iterable[shipped.BuiltIn]:
    """The built-in words that are on where `off` holds the keys switched off."""
    return (b for b in shipped.built_in() if b.key not in off and shipped.CATEGORY_KEY + b.category not in off)


class Store:
    """The matchers of one process, by enterprise."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[bytes, Matcher]] = OrderedDict()
        self._lock = threading.Lock()

    def matcher(self, tenant: int) -> Matcher:
        """The enterprise's search, up to date. Costs one question to Valkey; ask once per batch.

        Where Valkey does not answer, the tables do, each time.
        """
        try:
            version = self._version(tenant)
        except redis.RedisError:
            with tenant_session(tenant) as session:
                return load(session)
        with self._lock:
            kept = self._kept.get(tenant)
            if kept is not None and kept[0] == version:
                self._kept.move_to_end(tenant)
                return kept[1]
        # The version is older than what is read now: a change in between is seen by the next batch.
        with tenant_session(tenant) as session:
            matcher = load(session)
        with self._lock:
            self._kept[tenant] = (version, matcher)
            self._kept.move_to_end(tenant)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return matcher

    def _version(self, tenant: int) -> bytes:
        client = streams.client()
        found: bytes | None = client.get(key(tenant))  # type: ignore[assignment]
        if found is None:
            client.set(key(tenant), ids.new_id(), nx=True)
            found = client.get(key(tenant))  # type: ignore[assignment]
        return found or b""


_store = Store()


def matcher_of(tenant: int) -> Matcher:
    """This process's search for the enterprise (`Store.matcher`)."""
    return _store.matcher(tenant)
