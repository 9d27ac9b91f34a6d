"""Schemas of tasks."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of

KINDS = ("voicemail", "missed_call", "manual")
STATES = ("open", "done")


class TaskSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    title = fields.String(required=True, metadata={"description": "of manual ones; the others say by their kind"})
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    due_at = fields.DateTime(required=True)
    overdue = fields.Boolean(required=True)
    last_at = fields.DateTime(required=True, metadata={"description": "when the caller last called"})
    count = fields.Integer(required=True, strict=True, metadata={"description": "how often he was missed"})
    phone = fields.String(required=True, metadata={"description": "masked where the role asks for it"})
    callable = fields.Boolean(required=True, metadata={"description": "there is a number to call"})
    did = fields.String(required=True, metadata={"description": "our number that was called"})
    customer_id = fields.Integer(required=True, allow_none=True)
    customer_name = fields.String(required=True)
    owner_id = fields.Integer(required=True, allow_none=True, metadata={"description": "null: nobody's yet"})
    owner_name = fields.String(required=True)
    queue_id = fields.Integer(required=True, allow_none=True)
    queue_name = fields.String(required=True)
    call_id = fields.String(required=True, allow_none=True)
    recording_id = fields.String(required=True, allow_none=True, metadata={"description": "the message, if playable"})
    seconds = fields.Float(required=True, allow_none=True)
    note = fields.String(required=True)
    closed_at = fields.DateTime(required=True, allow_none=True)
    closed_by_name = fields.String(required=True)
    closed_by_call_id = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class TaskChangesSchema(Schema):
    title = fields.String(validate=validate.Length(max=200))
    note = fields.String(validate=validate.Length(max=4000))
    due_at = fields.AwareDateTime(metadata={"description": "with its offset"})
    owner_id = fields.Integer(strict=True, allow_none=True, metadata={"description": "null: nobody"})
    queue_id = fields.Integer(strict=True, allow_none=True)


class NewTaskSchema(TaskChangesSchema):
    title = fields.String(required=True, validate=validate.Length(1, 200))
    due_at = fields.AwareDateTime(required=True)
    customer_id = fields.Integer(strict=True)


class TaskCloseSchema(Schema):
    note = fields.String(validate=validate.Length(max=4000))


class TaskQuery(PageQuery):
    whose = fields.String(
        load_default="all",
        validate=validate.OneOf(["mine", "nobody", "desk", "all"]),
        metadata={"description": "desk: mine and nobody's; all: all that I may see"},
    )
    state = fields.String(load_default="open", validate=validate.OneOf(STATES))
    kind = fields.String(validate=validate.OneOf(KINDS))
    queue_id = fields.Integer()
    customer_id = fields.Integer()
    overdue = fields.Boolean(load_default=False)


class TaskCountsSchema(Schema):
    open = fields.Integer(required=True, strict=True)
    mine = fields.Integer(required=True, strict=True)
    mine_overdue = fields.Integer(required=True, strict=True)
    nobody = fields.Integer(required=True, strict=True)


TaskPageSchema = page_of(TaskSchema)
