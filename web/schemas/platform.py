"""Schemas of the platform's own pages."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of
from web.schemas.auth import LOCALES

KINDS = ("announcement", "promotion")


class EnterpriseQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


class EnterpriseSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    country = fields.String(required=True)
    time_zone = fields.String(required=True)
    valid_until = fields.Date(required=True, allow_none=True)
    is_demo = fields.Boolean(required=True)
    created_at = fields.DateTime(required=True)


EnterprisePage = page_of(EnterpriseSchema)


class NewEnterpriseSchema(Schema):
    code = fields.String(required=True, validate=validate.Length(1, 60))
    name = fields.String(required=True, validate=validate.Length(1, 120))
    country = fields.String(load_default="CN", validate=validate.Regexp(r"[A-Z]{2}\Z"))
    time_zone = fields.String(load_default="Asia/Shanghai", validate=validate.Length(1, 60))
    valid_until = fields.Date(load_default=None, allow_none=True)
    owner_username = fields.String(required=True, validate=validate.Length(1, 60))
    owner_name = fields.String(load_default="", validate=validate.Length(max=80))
    owner_password = fields.String(required=True, validate=validate.Length(1, 1000))
    locale = fields.String(load_default="zh-CN", validate=validate.OneOf(LOCALES))


class ChangeEnterpriseSchema(Schema):
    name = fields.String(validate=validate.Length(1, 120))
    valid_until = fields.Date(allow_none=True)


class AnnouncementQuery(PageQuery):
    pass


class AnnouncementSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    enterprise_id = fields.Integer(required=True, allow_none=True, strict=True)
    shown_from = fields.DateTime(required=True)
    shown_until = fields.DateTime(required=True, allow_none=True)


AnnouncementPage = page_of(AnnouncementSchema)


class NewAnnouncementSchema(Schema):
    kind = fields.String(load_default="announcement", validate=validate.OneOf(KINDS))
    title = fields.String(required=True, validate=validate.Length(1, 200))
    body = fields.String(load_default="", validate=validate.Length(max=5000))
    enterprise_id = fields.Integer(load_default=None, allow_none=True, strict=True)
    shown_from = fields.AwareDateTime(load_default=None, allow_none=True)
    shown_until = fields.AwareDateTime(load_default=None, allow_none=True)


class ChangeAnnouncementSchema(Schema):
    kind = fields.String(validate=validate.OneOf(KINDS))
    title = fields.String(validate=validate.Length(1, 200))
    body = fields.String(validate=validate.Length(max=5000))
    enterprise_id = fields.Integer(allow_none=True, strict=True)
    shown_from = fields.AwareDateTime()
    shown_until = fields.AwareDateTime(allow_none=True)
