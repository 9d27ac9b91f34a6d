"""Schemas of our numbers, of calendars, and of the places that calls can go to."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.calls.destination import DestinationKind
from callcenter.numbers.routing import During, Then, When
from web.http import PageQuery, page_of
from web.masking import PhoneField

_NAME = validate.Length(1, 80)
_KINDS = validate.OneOf([k.value for k in DestinationKind])
_LANGUAGES = validate.OneOf(["en", "zh"])
_RECORD = validate.OneOf(["", "always", "on_demand", "never"])
_TIME = validate.Regexp(r"^\d{2}:\d{2}\Z", error="Write times like 09:00, up to 24:00.")


class DestinationSchema(Schema):
    """Where a call goes. `id`: of the menu, queue or agent (voicemail: of the box's user, null for the enterprise's);
    `number`: E.164."""

    kind = fields.String(required=True, validate=_KINDS)
    id = fields.Integer(strict=True, allow_none=True)
    number = fields.String(validate=validate.Length(0, 16))


class NamedDestinationSchema(Schema):
    """`name` null: what stood here is gone."""

    kind = fields.String(required=True, validate=_KINDS)
    id = fields.Integer(required=True, strict=True, allow_none=True)
    number = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)


class DestinationChoiceSchema(Schema):
    """`ready` false: a menu that was never published, a queue that is switched off."""

    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    ready = fields.Boolean(required=True)


class DestinationChoicesSchema(Schema):
    menus = fields.List(fields.Nested(DestinationChoiceSchema), required=True)
    queues = fields.List(fields.Nested(DestinationChoiceSchema), required=True)
    agents = fields.List(fields.Nested(DestinationChoiceSchema), required=True)


class NumberRuleSchema(Schema):
    """Who calls, and what becomes of it. `during`: at which hours of the number's calendar. `within_min` for repeated,
    `prefixes` (E.164 beginnings) for prefix, `to` for destination. `priority` is added in the queue."""

    when = fields.String(required=True, validate=validate.OneOf([w.value for w in When]))
    then = fields.String(required=True, validate=validate.OneOf([t.value for t in Then]))
    during = fields.String(load_default="always", validate=validate.OneOf([d.value for d in During]))
    within_min = fields.Integer(strict=True, validate=validate.Range(0, 43_200))
    prefixes = fields.List(fields.String(validate=validate.Length(1, 16)), validate=validate.Length(max=200))
    to = fields.Nested(DestinationSchema, allow_none=True)
    priority = fields.Integer(strict=True, validate=validate.Range(0, 100))


class NumberChangesSchema(Schema):
    """`record` empty: as the queue says. `trunk_ids` empty: it may come in on any trunk."""

    e164 = fields.String(validate=validate.Length(1, 20))
    name = fields.String(validate=_NAME)
    enabled = fields.Boolean()
    language = fields.String(validate=_LANGUAGES)
    calendar_id = fields.Integer(strict=True, allow_none=True)
    trunk_ids = fields.List(fields.Integer(strict=True), validate=validate.Length(max=200))
    rules = fields.List(fields.Nested(NumberRuleSchema), validate=validate.Length(max=50))
    open_to = fields.Nested(DestinationSchema)
    closed_to = fields.Nested(DestinationSchema)
    holiday_to = fields.Nested(DestinationSchema, allow_none=True)
    record = fields.String(validate=_RECORD)


class NewNumberSchema(NumberChangesSchema):
    e164 = fields.String(required=True, validate=validate.Length(1, 20))
    name = fields.String(required=True, validate=_NAME)
    open_to = fields.Nested(DestinationSchema, required=True)
    closed_to = fields.Nested(DestinationSchema, required=True)


class ShownRuleSchema(NumberRuleSchema):
    to = fields.Nested(NamedDestinationSchema, allow_none=True)


class NumberSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    e164 = fields.String(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    language = fields.String(required=True, validate=_LANGUAGES)
    calendar_id = fields.Integer(required=True, strict=True, allow_none=True)
    calendar_name = fields.String(required=True)
    hours = fields.String(required=True, metadata={"description": "open, closed, holiday: at this moment"})
    trunk_ids = fields.List(fields.Integer(strict=True), required=True)
    rules = fields.List(fields.Nested(ShownRuleSchema), required=True)
    open_to = fields.Nested(NamedDestinationSchema, required=True)
    closed_to = fields.Nested(NamedDestinationSchema, required=True)
    holiday_to = fields.Nested(NamedDestinationSchema, required=True, allow_none=True)
    record = fields.String(required=True, validate=_RECORD)


class NumberQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


class TryNumberSchema(Schema):
    """A call to be imagined: `at` (default: now), `caller` as a trunk would write it (empty: withheld)."""

    at = fields.AwareDateTime(default_timezone=None)
    caller = fields.String(load_default="", validate=validate.Length(max=40))


class TriedCallerSchema(Schema):
    number = PhoneField(required=True)
    name = fields.String(required=True)
    matches = fields.Integer(required=True, strict=True)
    vip = fields.Boolean(required=True)
    blacklisted = fields.Boolean(required=True)
    calls_24h = fields.Integer(required=True, strict=True)


class TriedNumberSchema(Schema):
    """Where the call would go. `rule`: the place of the rule that decided, from 1; null: the calendar did."""

    to = fields.Nested(NamedDestinationSchema, required=True)
    reason = fields.String(required=True, validate=validate.OneOf(["disabled", "rule", "open", "closed", "holiday"]))
    rule = fields.Integer(required=True, strict=True, allow_none=True)
    hours = fields.String(required=True, validate=validate.OneOf(["open", "closed", "holiday"]))
    day_name = fields.String(required=True)
    priority = fields.Integer(required=True, strict=True)
    preferred_agent = fields.String(required=True, allow_none=True)
    at = fields.DateTime(required=True)
    caller = fields.Nested(TriedCallerSchema, required=True)


class CalendarSpanSchema(Schema):
    from_ = fields.String(required=True, data_key="from", attribute="from", validate=_TIME)
    to = fields.String(required=True, validate=_TIME)


class CalendarHolidaySchema(Schema):
    name = fields.String(required=True, validate=_NAME)
    first = fields.Date(required=True)
    last = fields.Date(required=True)
    yearly = fields.Boolean(load_default=False)


class CalendarSpecialDaySchema(Schema):
    """No spans: closed."""

    name = fields.String(required=True, validate=_NAME)
    day = fields.Date(required=True)
    spans = fields.List(fields.Nested(CalendarSpanSchema), required=True, validate=validate.Length(max=12))


class CalendarChangesSchema(Schema):
    """`week`: the spans of seven days, Monday first. `time_zone` empty: the enterprise's."""

    name = fields.String(validate=_NAME)
    time_zone = fields.String(validate=validate.Length(0, 60))
    week = fields.List(
        fields.List(fields.Nested(CalendarSpanSchema), validate=validate.Length(max=12)), validate=validate.Length(7, 7)
    )
    holidays = fields.List(fields.Nested(CalendarHolidaySchema), validate=validate.Length(max=500))
    special_days = fields.List(fields.Nested(CalendarSpecialDaySchema), validate=validate.Length(max=500))


class NewCalendarSchema(CalendarChangesSchema):
    name = fields.String(required=True, validate=_NAME)


class ShownHolidaySchema(Schema):
    name = fields.String(required=True)
    first = fields.String(required=True)
    last = fields.String(required=True)
    yearly = fields.Boolean(required=True)


class ShownSpecialDaySchema(Schema):
    name = fields.String(required=True)
    day = fields.String(required=True)
    spans = fields.List(fields.Nested(CalendarSpanSchema), required=True)


class CalendarSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    time_zone = fields.String(required=True)
    week = fields.List(fields.List(fields.Nested(CalendarSpanSchema)), required=True)
    holidays = fields.List(fields.Nested(ShownHolidaySchema), required=True)
    special_days = fields.List(fields.Nested(ShownSpecialDaySchema), required=True)
    hours = fields.String(required=True, metadata={"description": "open, closed, holiday: at this moment"})
    day_name = fields.String(required=True)
    next_opening = fields.DateTime(required=True, allow_none=True)
    numbers = fields.List(fields.String(), required=True, metadata={"description": "Names of the numbers that use it"})


class CalendarQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


NumberPageSchema = page_of(NumberSchema)
CalendarPageSchema = page_of(CalendarSchema)
