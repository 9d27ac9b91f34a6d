"""Schemas of campaigns. Times in seconds, rates as fractions (0.03 = 3 %)."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dialer.modes import CampaignState, Mode
from web.http import PageQuery, page_of

_MODES = validate.OneOf([m.value for m in Mode])
_STATES = [s.value for s in CampaignState]


def _seconds(low: float, high: float) -> validate.Range:
    return validate.Range(min=low, max=high)


class RecyclingSchema(Schema):
    after_s = fields.Integer(required=True, strict=True, validate=_seconds(30, 30 * 86400))
    tries = fields.Integer(required=True, strict=True, validate=validate.Range(1, 20))


class PacingSchema(Schema):
    """What may change while the campaign runs."""

    mode = fields.String(validate=_MODES)
    ratio = fields.Float(validate=validate.Range(1, 10))
    abandon_cap = fields.Float(validate=validate.Range(0, 0.2))
    max_lines = fields.Integer(strict=True, validate=validate.Range(1, 10_000))


class CampaignChangesSchema(PacingSchema):
    name = fields.String(validate=validate.Length(1, 80))
    patience_s = fields.Float(validate=_seconds(0.5, 10))
    ring_timeout_s = fields.Integer(strict=True, validate=_seconds(5, 120))
    wrap_up_s = fields.Integer(strict=True, validate=_seconds(0, 3600))
    preview_s = fields.Integer(strict=True, validate=_seconds(3, 600))
    max_attempts = fields.Integer(strict=True, validate=validate.Range(1, 50))
    caller_ids = fields.List(fields.String(validate=validate.Length(1, 16)), validate=validate.Length(max=500))
    trunk_ids = fields.List(fields.Integer(strict=True), validate=validate.Length(max=100))
    record = fields.String(validate=validate.OneOf(["always", "never"]))
    language = fields.String(validate=validate.OneOf(["en", "zh-CN"]))
    prompt_abandoned = fields.String(validate=validate.Regexp(r"^[\w.-]{0,100}$"))
    script_id = fields.Integer(strict=True, allow_none=True)
    rule_set_id = fields.Integer(strict=True, allow_none=True)
    disposition_required = fields.Boolean()
    recycling = fields.Dict(keys=fields.String(), values=fields.Nested(RecyclingSchema))


class NewCampaignSchema(CampaignChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    user_ids = fields.List(fields.Integer(strict=True), validate=validate.Length(max=5000))
    list_ids = fields.List(fields.Integer(strict=True), validate=validate.Length(max=500))


class CountsSchema(Schema):
    placed = fields.Integer(required=True, strict=True)
    answered = fields.Integer(required=True, strict=True)
    connected = fields.Integer(required=True, strict=True)
    abandoned = fields.Integer(required=True, strict=True)
    abandoned_rate = fields.Float(required=True, metadata={"description": "abandoned / (connected + abandoned)"})


class CampaignSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    mode = fields.String(required=True, validate=_MODES)
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    ratio = fields.Float(required=True)
    abandon_cap = fields.Float(required=True)
    patience_s = fields.Float(required=True)
    ring_timeout_s = fields.Integer(required=True, strict=True)
    wrap_up_s = fields.Integer(required=True, strict=True)
    preview_s = fields.Integer(required=True, strict=True)
    max_lines = fields.Integer(required=True, strict=True)
    max_attempts = fields.Integer(required=True, strict=True)
    caller_ids = fields.List(fields.String(), required=True)
    trunk_ids = fields.List(fields.Integer(), required=True)
    record = fields.String(required=True)
    language = fields.String(required=True)
    prompt_abandoned = fields.String(required=True)
    script_id = fields.Integer(required=True, allow_none=True)
    rule_set_id = fields.Integer(required=True, allow_none=True)
    disposition_required = fields.Boolean(required=True)
    recycling = fields.Dict(keys=fields.String(), values=fields.Nested(RecyclingSchema), required=True)


class CampaignRowSchema(CampaignSchema):
    agents = fields.Integer(required=True, strict=True, metadata={"description": "how many work it"})
    lists = fields.Integer(required=True, strict=True, metadata={"description": "how many feed it"})
    today = fields.Nested(CountsSchema, required=True)


class CampaignDetailSchema(CampaignSchema):
    user_ids = fields.List(fields.Integer(), required=True)
    list_ids = fields.List(fields.Integer(), required=True)
    missing = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "why it can't start: expired, no_list, no_agents, no_trunk"},
    )


CampaignPageSchema = page_of(CampaignRowSchema)


class CampaignQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))
    state = fields.String(validate=validate.OneOf(_STATES))


class CloneSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 80))


class AgentsOfCampaignSchema(Schema):
    user_ids = fields.List(fields.Integer(strict=True), required=True, validate=validate.Length(max=5000))


class ListsOfCampaignSchema(Schema):
    list_ids = fields.List(fields.Integer(strict=True), required=True, validate=validate.Length(max=500))


class DaySchema(CountsSchema):
    day = fields.Date(required=True)


class DueCallbackSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    due_at = fields.DateTime(required=True)
    name = fields.String(required=True)
    phone = fields.String(required=True)
    user_name = fields.String(required=True)
    note = fields.String(required=True)


class FiguresSchema(Schema):
    day = fields.Date(required=True)
    today = fields.Nested(CountsSchema, required=True)
    days30 = fields.Nested(CountsSchema, required=True)
    days = fields.List(fields.Nested(DaySchema), required=True)
    left = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    callbacks = fields.List(fields.Nested(DueCallbackSchema), required=True)


class CampaignOptionAgentSchema(Schema):
    id = fields.Integer(required=True)
    name = fields.String(required=True)
    username = fields.String(required=True)


class CampaignOptionListSchema(Schema):
    id = fields.Integer(required=True)
    name = fields.String(required=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    campaign_name = fields.String(required=True, allow_none=True)


class CampaignOptionTrunkSchema(Schema):
    id = fields.Integer(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)


class CampaignOptionSchema(Schema):
    id = fields.Integer(required=True)
    name = fields.String(required=True)
    is_default = fields.Boolean()


class CampaignOptionsSchema(Schema):
    agents = fields.List(fields.Nested(CampaignOptionAgentSchema), required=True)
    lists = fields.List(fields.Nested(CampaignOptionListSchema), required=True)
    trunks = fields.List(fields.Nested(CampaignOptionTrunkSchema), required=True)
    scripts = fields.List(fields.Nested(CampaignOptionSchema), required=True)
    rule_sets = fields.List(fields.Nested(CampaignOptionSchema), required=True)
