"""Schemas of users, roles and departments."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.auth.models import DataScope
from web.http import PageQuery, page_of
from web.schemas.auth import LOCALES

SCOPES = tuple(s.value for s in DataScope)


class RoleNameSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    key = fields.String(required=True, allow_none=True)
    enabled = fields.Boolean(required=True)


class UserSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    username = fields.String(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    built_in = fields.Boolean(required=True)
    department_id = fields.Integer(required=True, strict=True, allow_none=True)
    department_name = fields.String(required=True, allow_none=True)
    service_number = fields.String(required=True, allow_none=True)
    texts_need_approval = fields.Boolean(required=True)
    locale = fields.String(required=True)
    locked_until = fields.AwareDateTime(required=True, allow_none=True)
    last_login_at = fields.AwareDateTime(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    roles = fields.List(fields.Nested(RoleNameSchema), required=True)
    access = fields.String(
        required=True,
        validate=validate.OneOf(("read", "write", "full")),
        metadata={"description": "What the asking user may do: read, write (all but delete), full"},
    )
    second_factor = fields.Boolean(required=True, metadata={"description": "Signs in with a second factor"})


UserPageSchema = page_of(UserSchema)


class UserQuerySchema(PageQuery):
    state = fields.String(load_default="all", validate=validate.OneOf(("all", "enabled", "disabled")))
    search = fields.String(load_default="", validate=validate.Length(max=100))
    department_id = fields.Integer(load_default=None, metadata={"description": "This department and those below it"})
    role_id = fields.Integer(load_default=None)


class ChangeUserSchema(Schema):
    username = fields.String(validate=validate.Length(1, 60))
    name = fields.String(validate=validate.Length(1, 80))
    role_ids = fields.List(fields.Integer(strict=True), validate=validate.Length(max=50))
    department_id = fields.Integer(strict=True, allow_none=True)
    service_number = fields.String(allow_none=True, validate=validate.Length(max=40))
    texts_need_approval = fields.Boolean()
    enabled = fields.Boolean()
    locale = fields.String(validate=validate.OneOf(LOCALES))


class NewUserSchema(ChangeUserSchema):
    username = fields.String(required=True, validate=validate.Length(1, 60))
    name = fields.String(required=True, validate=validate.Length(1, 80))
    password = fields.String(required=True, validate=validate.Length(1, 1000))


class NewPasswordSchema(Schema):
    password = fields.String(required=True, validate=validate.Length(1, 1000))


class RoleSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    key = fields.String(required=True, allow_none=True)
    built_in = fields.Boolean(required=True)
    enabled = fields.Boolean(required=True)
    data_scope = fields.String(required=True, validate=validate.OneOf(SCOPES))
    permissions = fields.List(fields.String(), required=True)
    users = fields.Integer(required=True, strict=True, metadata={"description": "How many users have it"})
    updated_at = fields.AwareDateTime(required=True)
    second_factor_required = fields.Boolean(
        required=True, metadata={"description": "Its users set a second factor up when they sign in"}
    )


RolePageSchema = page_of(RoleSchema)


class RoleQuerySchema(PageQuery):
    state = fields.String(load_default="all", validate=validate.OneOf(("all", "enabled", "disabled")))
    search = fields.String(load_default="", validate=validate.Length(max=100))


class ChangeRoleSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    permissions = fields.List(fields.String(), validate=validate.Length(max=500))
    data_scope = fields.String(validate=validate.OneOf(SCOPES))
    enabled = fields.Boolean()
    second_factor_required = fields.Boolean()


class NewRoleSchema(ChangeRoleSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    permissions = fields.List(fields.String(), required=True, validate=validate.Length(max=500))


class PermissionGroupSchema(Schema):
    group = fields.String(required=True)
    permissions = fields.List(fields.String(), required=True)


class PermissionsSchema(Schema):
    groups = fields.List(fields.Nested(PermissionGroupSchema), required=True)
    own = fields.List(fields.String(), required=True, metadata={"description": "What the asking user may give"})


class DepartmentSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    parent_id = fields.Integer(required=True, strict=True, allow_none=True)
    name = fields.String(required=True)
    manager_id = fields.Integer(required=True, strict=True, allow_none=True)
    manager_name = fields.String(required=True, allow_none=True)
    members = fields.Integer(required=True, strict=True)


class DepartmentTreeSchema(Schema):
    """All departments, parents before their children; `parent_id` makes the tree."""

    tree = fields.List(fields.Nested(DepartmentSchema), required=True)


class ChangeDepartmentSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    parent_id = fields.Integer(strict=True, allow_none=True)
    manager_id = fields.Integer(strict=True, allow_none=True)


class NewDepartmentSchema(ChangeDepartmentSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
