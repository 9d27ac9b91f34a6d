"""Schemas of boards."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.metrics.boards import TABLES
from callcenter.metrics.figures import FIGURES
from web.http import page_of

_METRICS = sorted({m for metrics in FIGURES.values() for m in metrics})


class TileSchema(Schema):
    id = fields.String(required=True, validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,40}$"))
    kind = fields.String(required=True, validate=validate.OneOf(("figure", *TABLES)))
    subject = fields.String(load_default="", validate=validate.OneOf(("", *FIGURES)))
    subject_id = fields.Integer(
        load_default=None, allow_none=True, metadata={"description": "A queue's or campaign's id"}
    )
    metric = fields.String(load_default="", validate=validate.OneOf(("", *_METRICS)))
    width = fields.Integer(load_default=1, validate=validate.Range(1, 12))
    height = fields.Integer(load_default=1, validate=validate.Range(1, 8))
    warn = fields.Float(load_default=None, allow_none=True)
    bad = fields.Float(load_default=None, allow_none=True)
    above = fields.Boolean(load_default=True, metadata={"description": "Whether values above the limits are wrong"})
    for_s = fields.Float(load_default=5.0, validate=validate.Range(0, 3600))
    sound = fields.Boolean(load_default=False)
    notice = fields.Boolean(load_default=False)
    webhook = fields.Boolean(load_default=False)


class BoardPartSchema(Schema):
    title = fields.String(load_default="", validate=validate.Length(max=80))
    tiles = fields.List(fields.Nested(TileSchema), load_default=list, validate=validate.Length(max=60))


class BoardChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    shared = fields.Boolean()
    pages = fields.List(fields.Nested(BoardPartSchema), validate=validate.Length(max=12))
    rotate_s = fields.Integer(validate=validate.Range(5, 600))
    webhook_url = fields.URL(
        schemes={"http", "https"}, require_tld=False, allow_none=False, validate=validate.Length(max=500)
    )


class NewBoardSchema(BoardChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))


class LiveBoardSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    shared = fields.Boolean(required=True)
    pages = fields.List(fields.Nested(BoardPartSchema), required=True)
    rotate_s = fields.Integer(required=True)
    webhook_url = fields.String(required=True)
    webhook_secret = fields.String(required=True, metadata={"description": "Empty unless the board is the user's own"})
    updated_at = fields.DateTime(required=True)


LiveBoardPageSchema = page_of(LiveBoardSchema)


class BoardAlertSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    board_id = fields.Integer(required=True)
    tile_id = fields.String(required=True)
    subject = fields.String(required=True)
    subject_id = fields.Integer(required=True, allow_none=True)
    metric = fields.String(required=True)
    level = fields.Integer(required=True, metadata={"description": "0 mended, 1 warning, 2 trouble"})
    value = fields.Float(required=True, allow_none=True)
    at = fields.DateTime(required=True)
    delivery = fields.String(required=True)


BoardAlertPageSchema = page_of(BoardAlertSchema)


class BoardFiguresSchema(Schema):
    """`figures`: subject → its metrics."""

    figures = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)


class PastQuery(Schema):
    topic = fields.String(required=True, validate=validate.Regexp(r"^(queue:\d+|campaign:\d+|agents|trunks|menus)$"))


class PastSchema(Schema):
    """One sample a minute of the last hour: `at` in seconds since the epoch, values by metric."""

    at = fields.List(fields.Float(), required=True)
    values = fields.Dict(keys=fields.String(), values=fields.List(fields.Float(allow_none=True)), required=True)
