"""Schemas of menus: the graph that the editor draws, its versions, findings, figures and the verbs there are."""

from __future__ import annotations

import math
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from web.http import PageQuery, page_of

MOST_DEPTH = 12


def _storable(value: Any, depth: int = 0) -> None:
    """Refuses what the database can't hold: characters of no text, numbers that are none, depths without end."""
    if depth > MOST_DEPTH:
        raise ValidationError("This is nested too deeply.")
    if isinstance(value, str) and "\0" in value:
        raise ValidationError("This holds a character that is none.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("Give a number.")
    if isinstance(value, dict):
        for key, part in value.items():
            _storable(key, depth)
            _storable(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _storable(part, depth + 1)


_NAME = validate.And(validate.Length(1, 80), _storable)
_DESCRIPTION = validate.And(validate.Length(max=500), _storable)
_NODE_ID = validate.Regexp(r"^[A-Za-z0-9_-]{1,40}$", error="Use 1 to 40 letters, digits, - and _.")
_LANGUAGE = validate.OneOf(["en", "zh"])


class FlowNodeSchema(Schema):
    id = fields.String(required=True, validate=_NODE_ID)
    verb = fields.String(required=True, validate=validate.And(validate.Length(1, 40), _storable))
    title = fields.String(load_default="", validate=validate.And(validate.Length(max=80), _storable))
    settings = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        validate=_storable,
        metadata={"description": "As the verb's `settings` say"},
    )
    ways = fields.Dict(
        keys=fields.String(validate=validate.And(validate.Length(1, 40), _storable)),
        values=fields.String(validate=validate.And(validate.Length(max=40), _storable)),
        load_default=dict,
        metadata={"description": "Way out → id of a node"},
    )
    x = fields.Float(load_default=0.0)
    y = fields.Float(load_default=0.0)


class FlowGraphSchema(Schema):
    start = fields.String(required=True, validate=validate.And(validate.Length(max=40), _storable))
    nodes = fields.List(fields.Nested(FlowNodeSchema), required=True, validate=validate.Length(max=500))
    language = fields.String(load_default="en", validate=_LANGUAGE)


class FlowFindingSchema(Schema):
    code = fields.String(required=True, metadata={"description": "Texts are looked up by it"})
    severity = fields.String(required=True, validate=validate.OneOf(["error", "warning"]))
    node = fields.String(required=True, metadata={"description": "id of the node; empty: the whole menu"})
    field = fields.String(required=True, metadata={"description": "The setting or way, if one"})
    params = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    message = fields.String(required=True, metadata={"description": "In English"})


class FlowFindingsSchema(Schema):
    findings = fields.List(fields.Nested(FlowFindingSchema), required=True)
    errors = fields.Integer(required=True, strict=True)
    warnings = fields.Integer(required=True, strict=True)


class FlowUserSchema(Schema):
    """What leads to this menu."""

    kind = fields.String(required=True, validate=validate.OneOf(["number", "flow", "queue"]))
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class FlowRowSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    nodes = fields.Integer(required=True, strict=True, metadata={"description": "How many the draft has"})
    published = fields.Integer(required=True, allow_none=True, metadata={"description": "Version that callers hear"})
    draft_changed = fields.Boolean(required=True, metadata={"description": "The draft is not what is published"})
    used_by = fields.List(fields.Nested(FlowUserSchema), required=True)
    changed_by = fields.String(required=True)
    updated_at = fields.DateTime(required=True)


class FlowVersionSchema(Schema):
    version = fields.Integer(required=True, strict=True)
    note = fields.String(required=True)
    published_at = fields.DateTime(required=True)
    published_by = fields.String(required=True)
    current = fields.Boolean(required=True, metadata={"description": "Callers hear this one"})


class FlowVersionDetailSchema(FlowVersionSchema):
    flow = fields.Nested(FlowGraphSchema, required=True)


class FlowDetailSchema(FlowRowSchema):
    nodes = fields.Integer(required=True, strict=True)
    draft = fields.Nested(FlowGraphSchema, required=True)
    revision = fields.Integer(required=True, strict=True, metadata={"description": "Give it back when saving"})
    published_version = fields.Nested(FlowVersionDetailSchema, required=True, allow_none=True)
    findings = fields.List(fields.Nested(FlowFindingSchema), required=True, metadata={"description": "Of the draft"})
    errors = fields.Integer(required=True, strict=True)
    warnings = fields.Integer(required=True, strict=True)


class FlowQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


class NewFlowSchema(Schema):
    name = fields.String(required=True, validate=_NAME)
    description = fields.String(load_default="", validate=_DESCRIPTION)
    flow = fields.Nested(FlowGraphSchema, load_default=None, allow_none=True)


class FlowChangesSchema(Schema):
    name = fields.String(validate=_NAME)
    description = fields.String(validate=_DESCRIPTION)


class FlowDraftSchema(Schema):
    revision = fields.Integer(
        required=True, strict=True, metadata={"description": "The one that was loaded; 409 `flow.changed` if it is old"}
    )
    flow = fields.Nested(FlowGraphSchema, required=True)


class FlowToCheckSchema(Schema):
    flow = fields.Nested(
        FlowGraphSchema, load_default=None, allow_none=True, metadata={"description": "None: the saved draft"}
    )


class PublishFlowSchema(Schema):
    revision = fields.Integer(required=True, strict=True)
    note = fields.String(load_default="", validate=validate.And(validate.Length(max=200), _storable))


class RollBackFlowSchema(Schema):
    version = fields.Integer(required=True, strict=True)


class CopyFlowSchema(Schema):
    name = fields.String(required=True, validate=_NAME)


class FlowTryingSchema(Schema):
    call_id = fields.String(required=True)
    topic = fields.String(required=True, metadata={"description": "Live topic that tells the node it is in"})


class FlowNodeChangeSchema(Schema):
    """A node that is in both. `fields` names what differs: verb, title, settings.<name>, ways.<name>."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    verb = fields.String(required=True)
    fields_ = fields.List(fields.String(), required=True, data_key="fields")
    before = fields.Nested(FlowNodeSchema, required=True)
    after = fields.Nested(FlowNodeSchema, required=True)


class FlowWayChangeSchema(Schema):
    """A connection that is in one only, or leads elsewhere. `before`, `after`: ids of nodes, None: not there."""

    node = fields.String(required=True)
    way = fields.String(required=True)
    before = fields.String(required=True, allow_none=True)
    after = fields.String(required=True, allow_none=True)


class FlowComparisonSchema(Schema):
    """Versions; 0 is the draft."""

    a = fields.Integer(required=True, strict=True)
    b = fields.Integer(required=True, strict=True)
    added = fields.List(fields.Nested(FlowNodeSchema), required=True)
    removed = fields.List(fields.Nested(FlowNodeSchema), required=True)
    changed = fields.List(fields.Nested(FlowNodeChangeSchema), required=True)
    ways = fields.List(fields.Nested(FlowWayChangeSchema), required=True)
    start = fields.Boolean(required=True, metadata={"description": "They begin at different nodes"})
    language = fields.Boolean(required=True, metadata={"description": "They begin in different languages"})
    moved = fields.Integer(required=True, strict=True, metadata={"description": "Nodes that only stand elsewhere"})


class FlowWhenSchema(Schema):
    field = fields.String(required=True)
    values = fields.List(fields.String(), required=True)


class FlowSettingSchema(Schema):
    """One field of a verb's form."""

    name = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "ivr.verb.Kind: what it holds, how it is asked for"})
    default = fields.Raw(required=True, allow_none=True)
    required = fields.Boolean(required=True)
    low = fields.Float(required=True, allow_none=True)
    high = fields.Float(required=True, allow_none=True)
    choices = fields.List(fields.String(), required=True)
    unit = fields.String(required=True)
    when = fields.Nested(
        FlowWhenSchema, required=True, allow_none=True, metadata={"description": "It matters only then"}
    )


class FlowWaySchema(Schema):
    name = fields.String(required=True)
    label = fields.String(required=True)
    required = fields.Boolean(required=True)
    by_caller = fields.Boolean(required=True)


class FlowVerbSchema(Schema):
    verb = fields.String(required=True)
    needs = fields.List(fields.String(), required=True, metadata={"description": "audio, keys, voice, outside"})
    ends = fields.Boolean(required=True, metadata={"description": "The call leaves the menu here"})
    ways_from = fields.String(
        required=True, metadata={"description": "A setting whose keys (or cases' names) are ways out too; or empty"}
    )
    ways = fields.List(fields.Nested(FlowWaySchema), required=True, metadata={"description": "Those it always has"})
    settings = fields.List(fields.Nested(FlowSettingSchema), required=True)


class FlowPaletteSchema(Schema):
    verbs = fields.List(fields.Nested(FlowVerbSchema), required=True)
    cases = fields.List(
        fields.Nested(FlowSettingSchema),
        required=True,
        metadata={"description": "What a branch's case may hold besides `name`; `when` says for which `kind`"},
    )
    variables = fields.List(
        fields.String(), required=True, metadata={"description": "Those that are there without being set"}
    )
    languages = fields.List(fields.String(), required=True)
    most_nodes = fields.Integer(required=True, strict=True)


class FlowOptionSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class FlowOptionsSchema(Schema):
    """What nodes can point at."""

    queues = fields.List(fields.Nested(FlowOptionSchema), required=True)
    flows = fields.List(fields.Nested(FlowOptionSchema), required=True)
    agents = fields.List(fields.Nested(FlowOptionSchema), required=True)
    prompts = fields.List(fields.Nested(FlowOptionSchema), required=True)
    calendars = fields.List(fields.Nested(FlowOptionSchema), required=True)


class FlowFiguresQuery(Schema):
    from_ = fields.Date(data_key="from", load_default=None, allow_none=True)
    to = fields.Date(load_default=None, allow_none=True, metadata={"description": "Included"})
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "None: all versions"})


class FlowNodeFiguresSchema(Schema):
    node = fields.String(required=True)
    reached = fields.Integer(required=True, strict=True, metadata={"description": "Callers who were in it"})
    left = fields.Integer(required=True, strict=True, metadata={"description": "Of those, who hung up in it"})
    average_s = fields.Float(required=True, allow_none=True, metadata={"description": "Time spent in it"})
    ways = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": "Way → callers"}
    )


class FlowFiguresSchema(Schema):
    from_ = fields.Date(data_key="from", required=True)
    to = fields.Date(required=True)
    nodes = fields.List(fields.Nested(FlowNodeFiguresSchema), required=True)


class FlowAnswersQuery(PageQuery):
    from_ = fields.Date(data_key="from", load_default=None, allow_none=True)
    to = fields.Date(load_default=None, allow_none=True, metadata={"description": "Included"})
    node = fields.String(load_default="", validate=validate.Length(max=40))


class FlowAnswerSchema(Schema):
    id = fields.String(required=True)
    at = fields.DateTime(required=True)
    call_id = fields.String(required=True)
    node = fields.String(required=True)
    question = fields.String(required=True)
    answer = fields.String(required=True)
    recording_id = fields.String(required=True)


class FlowInputSchema(Schema):
    """One thing that happens in a simulated call."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(["key", "silence", "http", "recorded", "hang_up"]),
        metadata={"description": "silence: nothing until the menu's next time-out"},
    )
    key = fields.String(load_default="", validate=validate.Regexp(r"^[0-9*#]?$", error="Use 0–9, * or #."))
    status = fields.Integer(load_default=200, metadata={"description": "http: 0 is no answer"})
    values = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    seconds = fields.Float(load_default=3.0, validate=validate.Range(0, 600))


class FlowSimulationSchema(Schema):
    flow = fields.Nested(FlowGraphSchema, load_default=None, allow_none=True)
    inputs = fields.List(fields.Nested(FlowInputSchema), load_default=list, validate=validate.Length(max=200))
    variables = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class FlowLineSchema(Schema):
    """A line of what was heard and done. `who`: menu, caller, system."""

    at = fields.Float(required=True, metadata={"description": "Seconds since the call began"})
    who = fields.String(required=True)
    node = fields.String(required=True)
    kind = fields.String(required=True)
    text = fields.String(required=True)


class FlowTranscriptSchema(Schema):
    lines = fields.List(fields.Nested(FlowLineSchema), required=True)
    node = fields.String(required=True, metadata={"description": "Where the call is now; empty: it has left the menu"})
    waits_for = fields.String(required=True, metadata={"description": "key, http, recorded, or empty: it is over"})
    variables = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


FlowPageSchema = page_of(FlowRowSchema)
FlowVersionPageSchema = page_of(FlowVersionSchema)
FlowAnswerPageSchema = page_of(FlowAnswerSchema)
