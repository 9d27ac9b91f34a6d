"""How an enterprise answers by itself: read for every batch of texts, changed by its people."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor, record
from callcenter.errors import InvalidInput
from callcenter.tenancy.models import Enterprise
from smsgateway import segments
from smsgateway.inbound.fold import AnswerRule, Settings
from smsgateway.inbound.keywords import LONGEST, MOST_OWN, Keywords, Match, Wish, squeezed
from smsgateway.inbound.models import TextAnswering, TextKeyword
from smsgateway.models import TextTemplate

ENTITY: Final = "text_answering"
RULE: Final = "text_keyword"
MOST_RULES: Final = 200
LONGEST_REPLY: Final = 300
SETTABLE: Final = frozenset(
    {
        "out_words", "in_words", "off_words", "first_word", "out_reply", "in_reply", "answers_per_hour", "webhook_on",
        "webhook_url",
    }
)  # fmt: skip
RULE_SETTABLE: Final = frozenset({"name", "words", "match", "template_id", "enabled", "position"})
_ADDRESS: Final = re.compile(r"https?://[^\s/@?#]+(?:[/?#]\S*)?", re.IGNORECASE)
_CHINESE: Final = frozenset({"CN", "TW", "HK", "MO", "SG"})
_REPLIES: Final = {
    "zh": {
        Wish.OUT: "您已退订，我们不再向您发送营销短信。如需恢复，请回复“开通”。",
        Wish.IN: "您已重新订阅我们的营销短信。如需退订，请回复TD。",
    },
    "en": {
        Wish.OUT: "You will get no more marketing texts from us. Reply START to get them again.",
        Wish.IN: "You will get our marketing texts again. Reply STOP to end them.",
    },
}


def default_reply(country: str, wish: Wish) -> str:
    """What confirms a wish where the enterprise has written nothing of its own."""
    return _REPLIES["zh" if country in _CHINESE else "en"][wish]


def row(session: Session) -> TextAnswering | None:
    """The enterprise's row; None while it has changed nothing."""
    return session.scalars(select(TextAnswering)).one_or_none()


def read(session: Session) -> Settings:
    """The settings of the session's enterprise."""
    own = row(session)
    country = session.scalar(select(Enterprise.country)) or ""
    rules = session.execute(
        select(TextKeyword.id, TextKeyword.match, TextKeyword.words, TextKeyword.template_id)
        .join(TextTemplate, TextTemplate.id == TextKeyword.template_id)
        .where(TextKeyword.enabled, TextTemplate.enabled)
        .order_by(TextKeyword.position, TextKeyword.id)
    )
    replies = {wish: default_reply(country, wish) for wish in Wish}
    if own is not None and own.out_reply is not None:
        replies[Wish.OUT] = own.out_reply
    if own is not None and own.in_reply is not None:
        replies[Wish.IN] = own.in_reply
    keywords = Keywords() if own is None else Keywords(
        own.out_words, own.in_words, own.off_words, first_word=own.first_word
    )  # fmt: skip
    return Settings(
        keywords,
        tuple(AnswerRule(r.id, Match(r.match), tuple(r.words), r.template_id) for r in rules),
        replies[Wish.OUT],
        replies[Wish.IN],
        3 if own is None else own.answers_per_hour,
    )


def change(session: Session, actor: Actor, changes: Mapping[str, Any]) -> TextAnswering:
    """Change the enterprise's own settings. Raises InvalidInput."""
    own = session.scalars(select(TextAnswering).with_for_update()).one_or_none()
    if own is None:
        own = TextAnswering(webhook_secret=secrets.token_hex(32))
        session.add(own)
        session.flush()
        session.refresh(own)
    before = records.content(own)
    for name in ("out_words", "in_words"):
        if name in changes:
            changes = {**changes, name: words(changes[name], name)}
    for name in ("out_reply", "in_reply"):
        _check_reply(changes.get(name), name)
    both = {squeezed(w) for w in changes.get("out_words", own.out_words)} & {
        squeezed(w) for w in changes.get("in_words", own.in_words)
    }
    if both:
        raise InvalidInput(
            "A word can't mean both.",
            code="keyword_both",
            fields={"in_words": "This word already opts out. Choose another."},
            params={"word": sorted(both)[0]},
        )
    records.put(own, changes, SETTABLE)
    own.webhook_url = own.webhook_url.strip()
    if own.webhook_url and _ADDRESS.fullmatch(own.webhook_url) is None:
        raise InvalidInput(
            "This is no address of the web.", fields={"webhook_url": "Write an address that begins with https://."}
        )
    if own.webhook_on and not own.webhook_url:
        raise InvalidInput("The webhook has no address.", fields={"webhook_url": "Fill in the address first."})
    session.flush()
    session.refresh(own)
    record(session, actor, "update", ENTITY, own.id, before=before, after=records.content(own))
    return own


def new_secret(session: Session, actor: Actor) -> TextAnswering:
    """Another secret for the webhook's signatures; the old one signs no more."""
    own = change(session, actor, {})
    own.webhook_secret = secrets.token_hex(32)
    session.flush()
    record(session, actor, "update", ENTITY, own.id, before={"webhook_secret": "a"}, after={"webhook_secret": "b"})
    return own


def words(given: Sequence[str], field: str) -> list[str]:
    """`given` trimmed and without repetitions. Raises InvalidInput on `field`."""
    kept: dict[str, str] = {}
    for word in given:
        word = " ".join(word.split())
        if not squeezed(word):
            raise InvalidInput(
                "A keyword needs a letter or a digit.",
                code="keyword_empty",
                fields={field: "A keyword needs a letter or a digit."},
            )
        if len(word) > LONGEST:
            raise InvalidInput(
                "A keyword is too long.",
                code="keyword_long",
                fields={field: "Write at most 40 characters for one keyword."},
            )
        kept.setdefault(squeezed(word), word)
    if len(kept) > MOST_OWN:
        raise InvalidInput(
            "These are too many keywords.", code="keyword_many", fields={field: "At most 50 keywords can be set."}
        )
    return list(kept.values())


def _check_reply(reply: str | None, field: str) -> None:
    if reply and (len(reply) > LONGEST_REPLY or segments.count(reply).parts > 5):
        raise InvalidInput("The reply is too long.", code="reply_long", fields={field: "Write at most 300 characters."})


def add_rule(session: Session, actor: Actor, values: Mapping[str, Any]) -> TextKeyword:
    """A new automatic answer, the last in order. Raises InvalidInput."""
    count, last = session.execute(select(func.count(TextKeyword.id), func.max(TextKeyword.position))).one()
    if count >= MOST_RULES:
        raise InvalidInput("There are 200 automatic answers already.", code="keyword_rules_many")
    rule = TextKeyword()
    records.put(rule, {"position": (last or 0) + 1, **_judged(session, values)}, RULE_SETTABLE)
    session.add(rule)
    records.flush(session, _TAKEN)
    session.refresh(rule)
    record(session, actor, "create", RULE, rule.id, name=rule.name, after=records.content(rule))
    return rule


def change_rule(session: Session, actor: Actor, rule_id: int, changes: Mapping[str, Any]) -> TextKeyword:
    """Change an automatic answer. Raises NotFound, InvalidInput."""
    rule = records.find(session, TextKeyword, rule_id, lock=True)
    before = records.content(rule)
    records.put(rule, _judged(session, changes), RULE_SETTABLE)
    records.flush(session, _TAKEN)
    session.refresh(rule)
    record(session, actor, "update", RULE, rule.id, name=rule.name, before=before, after=records.content(rule))
    return rule


def delete_rule(session: Session, actor: Actor, rule_id: int) -> None:
    """Remove an automatic answer. Raises NotFound."""
    rule = records.find(session, TextKeyword, rule_id, lock=True)
    before = records.content(rule)
    session.delete(rule)
    session.flush()
    record(session, actor, "delete", RULE, rule_id, name=rule.name, before=before)


_TAKEN: Final = {"uq_text_keyword_tenant_id_name": ("name", "keyword_name_taken")}


def _judged(session: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(values)
    if "words" in out:
        out["words"] = words(out["words"], "words")
        if not out["words"]:
            raise InvalidInput("An automatic answer needs a word.", fields={"words": "Write at least one word."})
    if "template_id" in out:
        records.require_ids(session, TextTemplate, [out["template_id"]], "template_id")
        if session.get_one(TextTemplate, out["template_id"]).kind != "sms":
            raise InvalidInput("Answers are SMS.", fields={"template_id": "Choose a template for SMS."})
    return out
