"""Schemas of queues and skills. Times in seconds, rates as fractions (0.8 = 80 %)."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.acd.settings import Strategy
from callcenter.calls.destination import DestinationKind
from web.http import PageQuery, page_of

_NAME = validate.Length(1, 80)
_STRATEGIES = validate.OneOf([s.value for s in Strategy])
_PROMPT = validate.Length(0, 300)
_LEVEL = validate.Range(1, 10)
_DAY_S = 86_400


def _between(low: float, high: float) -> validate.Range:
    return validate.Range(min=low, max=high)


class QueueDestinationSchema(Schema):
    kind = fields.String(required=True, validate=validate.OneOf([k.value for k in DestinationKind]))
    id = fields.Integer(strict=True, allow_none=True)
    number = fields.String(validate=validate.Length(0, 16))


class QueueWaitingSchema(Schema):
    greeting = fields.String(validate=_PROMPT)
    music = fields.String(validate=_PROMPT)
    announce_every_s = fields.Float(validate=_between(0, 3600))
    announce_position = fields.Boolean()
    announce_wait = fields.Boolean()
    comfort = fields.List(fields.String(validate=validate.Length(1, 300)), validate=validate.Length(max=20))
    comfort_every_s = fields.Float(validate=_between(0, 3600))


class QueueCallbackSchema(Schema):
    enabled = fields.Boolean()
    after_s = fields.Float(validate=_between(0, 3600))
    key = fields.String(validate=validate.OneOf(list("0123456789*#")))
    expires_s = fields.Float(validate=_between(60, 7 * _DAY_S))
    tries = fields.Integer(strict=True, validate=validate.Range(1, 10))


class QueueOverflowSchema(Schema):
    after_wait_s = fields.Float(validate=_between(0, _DAY_S))
    after_wait = fields.Nested(QueueDestinationSchema, allow_none=True)
    over_length = fields.Integer(strict=True, validate=validate.Range(0, 10_000))
    length = fields.Nested(QueueDestinationSchema, allow_none=True)
    no_agents = fields.Nested(QueueDestinationSchema, allow_none=True)


class QueueBlendingSchema(Schema):
    enabled = fields.Boolean()
    wait_s = fields.Float(validate=_between(0, 3600))
    reserve = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    release_s = fields.Float(validate=_between(0, 3600))


class QueueMemberSchema(Schema):
    user_id = fields.Integer(required=True, strict=True)
    share = fields.Float(validate=_between(0, 1000), metadata={"description": "Counts for the strategy percentage"})
    penalty = fields.Integer(strict=True, validate=validate.Range(0, 100), metadata={"description": "Ring; 0 first"})


class QueueNeedSchema(Schema):
    skill_id = fields.Integer(required=True, strict=True)
    level = fields.Integer(required=True, strict=True, validate=_LEVEL)
    relax_every_s = fields.Float(validate=_between(0, _DAY_S), metadata={"description": "0: never"})
    at_least = fields.Integer(strict=True, validate=validate.Range(0, 10))


class NeedOfQueueSchema(QueueNeedSchema):
    name = fields.String(required=True, metadata={"description": "The skill's"})


class QueueChangesSchema(Schema):
    name = fields.String(validate=_NAME)
    enabled = fields.Boolean()
    strategy = fields.String(validate=_STRATEGIES)
    priority = fields.Integer(strict=True, validate=validate.Range(-100, 100))
    ageing_per_min = fields.Float(
        validate=_between(0.1, 100), metadata={"description": "Never 0, so that no caller is passed over for ever"}
    )
    ring_s = fields.Float(validate=_between(3, 120))
    auto_answer = fields.Boolean()
    wrap_up_s = fields.Float(validate=_between(0, 3600))
    disposition_required = fields.Boolean()
    sticky_s = fields.Float(validate=_between(0, 365 * _DAY_S))
    service_level_s = fields.Float(validate=_between(1, 3600))
    service_level = fields.Float(validate=_between(0.01, 1))
    utilisation_cap = fields.Float(validate=_between(0.1, 1))
    record = fields.String(validate=validate.OneOf(["always", "on_demand", "never"]))
    max_wait_s = fields.Float(validate=_between(30, _DAY_S))
    language = fields.String(validate=validate.OneOf(["en", "zh"]))
    voicemail_greeting = fields.String(
        validate=validate.Length(0, 300), metadata={"description": "A prompt; empty: the installation's greeting"}
    )
    script_id = fields.Integer(strict=True, allow_none=True)
    waiting = fields.Nested(QueueWaitingSchema)
    callback = fields.Nested(QueueCallbackSchema)
    overflow = fields.Nested(QueueOverflowSchema)
    blending = fields.Nested(QueueBlendingSchema)
    members = fields.List(fields.Nested(QueueMemberSchema), validate=validate.Length(max=5000))
    skills = fields.List(fields.Nested(QueueNeedSchema), validate=validate.Length(max=50))


class NewQueueSchema(QueueChangesSchema):
    name = fields.String(required=True, validate=_NAME)


class QueueDetailSchema(QueueChangesSchema):
    """Every setting, the defaults filled in."""

    id = fields.Integer(required=True, strict=True)
    skills = fields.List(fields.Nested(NeedOfQueueSchema), required=True)


class QueueSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    strategy = fields.String(required=True, validate=_STRATEGIES)
    priority = fields.Integer(required=True, strict=True)
    service_level = fields.Float(required=True)
    service_level_s = fields.Float(required=True)
    members = fields.Integer(required=True, strict=True, metadata={"description": "How many"})
    skills = fields.List(fields.String(), required=True, metadata={"description": "Names of those it wants"})


QueuePageSchema = page_of(QueueSchema)


class QueueQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))
    enabled = fields.Boolean()


class MembersOfQueueSchema(Schema):
    members = fields.List(fields.Nested(QueueMemberSchema), required=True, validate=validate.Length(max=5000))


class QueuesOfAgentSchema(Schema):
    queue_ids = fields.List(fields.Integer(strict=True), required=True, validate=validate.Length(max=500))


class QueueChoiceSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class QueueAgentChoiceSchema(QueueChoiceSchema):
    username = fields.String(required=True)
    skills = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class QueueOptionsSchema(Schema):
    agents = fields.List(fields.Nested(QueueAgentChoiceSchema), required=True)
    skills = fields.List(fields.Nested(QueueChoiceSchema), required=True)
    queues = fields.List(fields.Nested(QueueChoiceSchema), required=True)
    menus = fields.List(fields.Nested(QueueChoiceSchema), required=True)
    prompts = fields.List(fields.Nested(QueueChoiceSchema), required=True)
    scripts = fields.List(fields.Nested(QueueChoiceSchema), required=True)


class QueueFiguresQuery(Schema):
    from_ = fields.Date(data_key="from", metadata={"description": "First day, in the enterprise's zone; else today"})
    to = fields.Date(metadata={"description": "Last day, inclusive; else the first"})


class QueueCountsSchema(Schema):
    """As `callcenter.metrics.definitions` counts. null where there was nothing to count."""

    offered = fields.Integer(required=True, strict=True)
    answered = fields.Integer(required=True, strict=True)
    answered_in_target = fields.Integer(required=True, strict=True)
    abandoned = fields.Integer(required=True, strict=True)
    overflowed = fields.Integer(required=True, strict=True)
    callbacks = fields.Integer(required=True, strict=True)
    other = fields.Integer(required=True, strict=True)
    waiting = fields.Integer(required=True, strict=True)
    service_level = fields.Float(required=True, allow_none=True)
    abandon_rate = fields.Float(required=True, allow_none=True)
    asa_s = fields.Float(required=True, allow_none=True)
    aht_s = fields.Float(required=True, allow_none=True)
    longest_wait_s = fields.Float(required=True, allow_none=True)


class QueueHourSchema(QueueCountsSchema):
    at = fields.DateTime(required=True, metadata={"description": "Beginning of the hour, UTC"})


class QueueFiguresSchema(Schema):
    first = fields.Date(required=True)
    last = fields.Date(required=True)
    total = fields.Nested(QueueCountsSchema, required=True)
    hours = fields.List(fields.Nested(QueueHourSchema), required=True, metadata={"description": "Those with calls"})


class SkillAgentSchema(Schema):
    user_id = fields.Integer(required=True, strict=True)
    level = fields.Integer(required=True, strict=True, validate=_LEVEL)


class SkillChangesSchema(Schema):
    name = fields.String(validate=_NAME)
    description = fields.String(validate=validate.Length(0, 300))
    agents = fields.List(fields.Nested(SkillAgentSchema), validate=validate.Length(max=5000))


class NewSkillSchema(SkillChangesSchema):
    name = fields.String(required=True, validate=_NAME)


class SkillSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    agents = fields.List(fields.Nested(SkillAgentSchema), required=True)
    queues = fields.List(fields.String(), required=True, metadata={"description": "Names of those that want it"})


SkillPageSchema = page_of(SkillSchema)


class SkillLevelSchema(Schema):
    skill_id = fields.Integer(required=True, strict=True)
    level = fields.Integer(required=True, strict=True, validate=_LEVEL)


class SkillsOfAgentSchema(Schema):
    skills = fields.List(fields.Nested(SkillLevelSchema), required=True, validate=validate.Length(max=200))
