"""What answers by itself to texts that come in: keywords, automatic answers, the webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise
from crm.queries import typed
from smsgateway.inbound import forwarding, settings
from smsgateway.inbound.fold import Past, fold
from smsgateway.inbound.keywords import BUILT_IN_IN, BUILT_IN_OUT, Wish
from smsgateway.inbound.models import InboundText, TextForward, TextKeyword
from smsgateway.models import TextTemplate
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.text_keywords import (
    NewTextKeywordSchema,
    TextAnsweringChangesSchema,
    TextAnsweringSchema,
    TextForwardPageSchema,
    TextForwardSchema,
    TextKeywordChangesSchema,
    TextKeywordPageSchema,
    TextKeywordSchema,
    TextTriedSchema,
    TextTrySchema,
)

blueprint = Blueprint("text-keywords", __name__, url_prefix="/api/text-keywords", description="Automatic answers")
USED_WITHIN_D = 30
RULES = "rules.write"


def _rows() -> Any:
    since = utc_now() - timedelta(days=USED_WITHIN_D)
    used = (
        select(InboundText.rule_id, func.count().label("n"))
        .where(InboundText.created_at > since, InboundText.rule_id.is_not(None))
        .group_by(InboundText.rule_id)
        .subquery()
    )
    return typed(
        select(TextKeyword, TextTemplate.name, TextTemplate.enabled, func.coalesce(used.c.n, 0))
        .join(TextTemplate, TextTemplate.id == TextKeyword.template_id)
        .outerjoin(used, used.c.rule_id == TextKeyword.id)
        .order_by(TextKeyword.position, TextKeyword.id)
    )


def _shown(row: Any) -> dict[str, Any]:
    rule, template, enabled, used = row
    names = ("id", "name", "words", "match", "template_id", "enabled", "position")
    more = {"template_name": template, "template_enabled": enabled, "used": used}
    return {n: getattr(rule, n) for n in names} | more


def _one(db: Session, rule: TextKeyword) -> dict[str, Any]:
    return _shown(db.execute(_rows().where(TextKeyword.id == rule.id)).one())


def _answering(db: Session) -> dict[str, Any]:
    own = settings.row(db)
    country = db.scalar(select(Enterprise.country)) or ""
    may = RULES in current_actor().permissions
    return {
        "out_words": own.out_words if own else [],
        "in_words": own.in_words if own else [],
        "off_words": own.off_words if own else [],
        "built_in_out": BUILT_IN_OUT,
        "built_in_in": BUILT_IN_IN,
        "first_word": own.first_word if own else True,
        "out_reply": own.out_reply if own else None,
        "in_reply": own.in_reply if own else None,
        "default_out_reply": settings.default_reply(country, Wish.OUT),
        "default_in_reply": settings.default_reply(country, Wish.IN),
        "answers_per_hour": own.answers_per_hour if own else 3,
        "webhook_on": own.webhook_on if own else False,
        "webhook_url": own.webhook_url if own and may else "",
        "webhook_secret": own.webhook_secret if own and may else "",
    }


@blueprint.get("")
@requires("texts.templates")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TextKeywordPageSchema)
def list_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Automatic answers in their order: the first that fits is sent."""
    with tenant_session(tenant_id()) as db:
        return paged(db, _rows(), args, _shown)


@blueprint.post("")
@requires("texts.templates")
@blueprint.arguments(NewTextKeywordSchema)
@blueprint.response(201, TextKeywordSchema)
def post_rule(given: dict[str, Any]) -> dict[str, Any]:
    """A new automatic answer, the last in order."""
    with tenant_session(tenant_id()) as db:
        return _one(db, settings.add_rule(db, current_actor(), given))


@blueprint.patch("/<int:text_keyword_id>")
@requires("texts.templates")
@blueprint.arguments(TextKeywordChangesSchema)
@blueprint.response(200, TextKeywordSchema)
def patch_rule(given: dict[str, Any], text_keyword_id: int) -> dict[str, Any]:
    """Change an automatic answer."""
    with tenant_session(tenant_id()) as db:
        return _one(db, settings.change_rule(db, current_actor(), text_keyword_id, given))


@blueprint.delete("/<int:text_keyword_id>")
@requires("texts.templates")
@blueprint.response(204)
def delete_rule(text_keyword_id: int) -> None:
    """Remove an automatic answer."""
    with tenant_session(tenant_id()) as db:
        settings.delete_rule(db, current_actor(), text_keyword_id)


@blueprint.get("/settings")
@requires("texts.templates")
@blueprint.response(200, TextAnsweringSchema)
def get_settings() -> dict[str, Any]:
    """Keywords, confirmations, limits, webhook."""
    with tenant_session(tenant_id()) as db:
        return _answering(db)


@blueprint.patch("/settings")
@requires("texts.templates", RULES)
@blueprint.arguments(TextAnsweringChangesSchema)
@blueprint.response(200, TextAnsweringSchema)
def patch_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Change them."""
    with tenant_session(tenant_id()) as db:
        settings.change(db, current_actor(), given)
        return _answering(db)


@blueprint.post("/settings/secret")
@requires("texts.templates", RULES)
@blueprint.response(200, TextAnsweringSchema)
def post_secret() -> dict[str, Any]:
    """Another secret for the webhook; the old one signs no more."""
    with tenant_session(tenant_id()) as db:
        settings.new_secret(db, current_actor())
        return _answering(db)


@blueprint.post("/try")
@requires("texts.templates")
@blueprint.arguments(TextTrySchema)
@blueprint.response(200, TextTriedSchema)
def post_try(given: dict[str, Any]) -> dict[str, Any]:
    """What a text would set off if it came in now, from somebody who wrote nothing before. Nothing is done."""
    with tenant_session(tenant_id()) as db:
        known = settings.read(db)
        opted_out = (wish := known.keywords.recognise(given["body"])) is not None and wish.wish is Wish.IN
        folded = fold(given["body"], known, Past(opted_out=opted_out))
        rule = db.get(TextKeyword, folded.rule.id) if folded.rule else None
        template = db.get(TextTemplate, rule.template_id) if rule else None
        return {
            "did": folded.wish.value if folded.wish else "answer" if rule else "",
            "keyword": folded.keyword,
            "rule_id": rule.id if rule else None,
            "rule_name": rule.name if rule else "",
            "reply": template.body if template else folded.confirm,
        }


@blueprint.get("/forwards")
@requires("texts.templates", RULES)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TextForwardPageSchema)
def list_forwards(args: dict[str, Any]) -> dict[str, Any]:
    """Posts to the webhook and how they went, the newest first; 30 days are kept."""
    with tenant_session(tenant_id()) as db:
        return paged(db, select(TextForward).order_by(TextForward.id.desc()), args)


@blueprint.post("/forwards/test")
@requires("texts.templates", RULES)
@blueprint.response(202, TextForwardSchema)
def post_test() -> TextForward:
    """Post a test to the webhook; the list of posts tells how it went."""
    with tenant_session(tenant_id()) as db:
        return forwarding.test(db, utc_now())
