"""Schemas of the address book: groups, contacts, files in and out."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from crm.addressbook.batches import MOST_IDS
from crm.addressbook.contacts import LONGEST, MAX_TAG, MERGED
from crm.addressbook.models import PhoneLabel
from crm.addressbook.plan import RULES
from crm.addressbook.queries import MOST_DAYS
from crm.addressbook.sheet import FORMATS
from crm.importing.plan import DELIMITERS, ENCODINGS
from web.http import PageQuery, page_of
from web.schemas.imports import ColumnSchema, DetectedSchema, ImportErrorSchema


class ContactGroupSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    parent_id = fields.Integer(required=True, strict=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True, metadata={"description": "names from the root, with /"})
    depth = fields.Integer(required=True, strict=True)
    private = fields.Boolean(required=True, metadata={"description": "seen by the user alone"})
    enabled = fields.Boolean(required=True)
    used = fields.Boolean(required=True, metadata={"description": "it and all groups above it are enabled"})
    contacts = fields.Integer(required=True, strict=True, metadata={"description": "in the group itself"})
    reached = fields.Integer(
        required=True, strict=True, metadata={"description": "in it or in groups below it, each once"}
    )


class ContactGroupTreeSchema(Schema):
    tree = fields.List(fields.Nested(ContactGroupSchema), required=True)
    all = fields.Integer(required=True, strict=True, metadata={"description": "contacts that the user sees"})
    ungrouped = fields.Integer(required=True, strict=True, metadata={"description": "those in no group"})


class ContactGroupQuery(Schema):
    search = fields.String(load_default="", validate=validate.Length(max=60))


class NewContactGroupSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    parent_id = fields.Integer(strict=True, allow_none=True)
    private = fields.Boolean(load_default=False)


class ChangeContactGroupSchema(Schema):
    name = fields.String(validate=validate.Length(1, 200))
    parent_id = fields.Integer(strict=True, allow_none=True)
    enabled = fields.Boolean()
    private = fields.Boolean()


class ContactPhoneSchema(Schema):
    number = fields.String(required=True, metadata={"description": "E.164; masked where the role asks for it"})
    label = fields.String(required=True, validate=validate.OneOf(list(PhoneLabel)))


class TypedPhoneSchema(Schema):
    number = fields.String(required=True, validate=validate.Length(max=60), metadata={"description": "as typed"})
    label = fields.String(load_default=PhoneLabel.MOBILE.value, validate=validate.OneOf(list(PhoneLabel)))


class ContactPlaceSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    path = fields.String(required=True)


class ContactSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    phones = fields.List(fields.Nested(ContactPhoneSchema), required=True, metadata={"description": "main one first"})
    email = fields.String(required=True)
    company = fields.String(required=True)
    title = fields.String(required=True)
    birthday = fields.String(required=True, metadata={"description": "1990-05-01, 05-01 or empty"})
    note = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    groups = fields.List(fields.Nested(ContactPlaceSchema), required=True)
    private = fields.Boolean(required=True, metadata={"description": "seen by the user alone"})
    customer_id = fields.Integer(required=True, strict=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


def _text(name: str) -> fields.String:
    return fields.String(validate=validate.Length(max=LONGEST[name]))


class ChangeContactSchema(Schema):
    name = _text("name")
    phones = fields.List(fields.Nested(TypedPhoneSchema), validate=validate.Length(max=20))
    email = _text("email")
    company = _text("company")
    title = _text("title")
    birthday = fields.String(validate=validate.Length(max=30))
    note = _text("note")
    tags = fields.List(fields.String(validate=validate.Length(max=MAX_TAG)), validate=validate.Length(max=100))
    groups = fields.List(fields.Integer(strict=True), validate=validate.Length(max=200))
    private = fields.Boolean(allow_none=True)


class NewContactSchema(ChangeContactSchema):
    """A contact: a name, a company or a number at least."""


class ContactFilterSchema(Schema):
    search = fields.String(validate=validate.Length(max=100))
    group_id = fields.Integer()
    below = fields.Boolean()
    ungrouped = fields.Boolean()
    birthday_days = fields.Integer(validate=validate.Range(1, MOST_DAYS))
    tag = fields.String(validate=validate.Length(max=MAX_TAG))
    private = fields.Boolean()


class ContactQuery(PageQuery):
    search = fields.String(validate=validate.Length(max=100))
    group_id = fields.Integer()
    below = fields.Boolean(metadata={"description": "with the groups below it; true unless said otherwise"})
    ungrouped = fields.Boolean()
    birthday_days = fields.Integer(validate=validate.Range(1, MOST_DAYS))
    tag = fields.String(validate=validate.Length(max=MAX_TAG))
    private = fields.Boolean()


class ContactSelectionSchema(Schema):
    """Some contacts by id, or all that a filter leaves."""

    ids = fields.List(fields.Integer(strict=True), validate=validate.Length(1, MOST_IDS))
    filter = fields.Nested(ContactFilterSchema)

    @validates_schema
    def _one(self, data: dict[str, object], **_: object) -> None:
        if ("ids" in data) == ("filter" in data):
            raise ValidationError("Give either ids or a filter.", "ids")


class ContactBatchSchema(ContactSelectionSchema):
    action = fields.String(
        required=True, validate=validate.OneOf(["move", "add_to_group", "take_out", "tag", "untag", "delete"])
    )
    group_id = fields.Integer(strict=True)
    from_group_id = fields.Integer(strict=True)
    tags = fields.List(fields.String(validate=validate.Length(max=MAX_TAG)), validate=validate.Length(1, 20))

    @validates_schema
    def _complete(self, data: dict[str, object], **_: object) -> None:
        if data["action"] in ("move", "add_to_group", "take_out") and "group_id" not in data:
            raise ValidationError("Choose a group.", "group_id")
        if data["action"] in ("tag", "untag") and "tags" not in data:
            raise ValidationError("Give at least one tag.", "tags")


class ContactTagsSchema(Schema):
    tags = fields.List(fields.String(), required=True)


class DuplicateContactsSchema(Schema):
    phones = fields.List(fields.String(), required=True)
    contacts = fields.List(fields.Nested(ContactSchema), required=True)


class MergeContactsSchema(Schema):
    keep_id = fields.Integer(required=True, strict=True)
    other_id = fields.Integer(required=True, strict=True)
    take = fields.List(
        fields.String(validate=validate.OneOf([*MERGED, "phones"])),
        load_default=list,
        metadata={"description": "what comes from the other one; phones: its main number"},
    )


class ContactImportSettingsSchema(Schema):
    """What is left out is found in the file (previews only)."""

    encoding = fields.String(validate=validate.OneOf(ENCODINGS))
    delimiter = fields.String(validate=validate.OneOf(DELIMITERS))
    sheet = fields.String(validate=validate.Length(max=100))
    header = fields.Boolean()
    country = fields.String(validate=validate.Length(2, 2))
    mapping = fields.List(fields.Nested(ColumnSchema), validate=validate.Length(max=200))
    in_file = fields.String(validate=validate.OneOf(RULES))
    in_book = fields.String(validate=validate.OneOf(RULES))
    group_id = fields.Integer(strict=True, allow_none=True)
    make_groups = fields.Boolean()


class ContactVerdictSchema(Schema):
    """A sample row. `column`: the cell that is wrong; `text`: why, in the asked language; `phone`: E.164."""

    row = fields.Integer(required=True, strict=True)
    cells = fields.List(fields.String(), required=True)
    ok = fields.Boolean(required=True)
    empty = fields.Boolean(required=True)
    column = fields.Integer(required=True, allow_none=True)
    text = fields.String(required=True)
    phone = fields.String(required=True)
    updates = fields.Boolean(required=True, metadata={"description": "a contact with the number is overwritten"})


class ContactPreviewSchema(Schema):
    kind = fields.String(required=True, metadata={"description": "text or workbook"})
    detected = fields.Nested(DetectedSchema, required=True)
    sheets = fields.List(fields.String(), required=True)
    settings = fields.Nested(ContactImportSettingsSchema, required=True)
    columns = fields.List(fields.String(), required=True, metadata={"description": "the header's cells"})
    rows = fields.List(fields.Nested(ContactVerdictSchema), required=True)


class ContactJobSchema(Schema):
    """A file in or out; while it runs, follow the live topic `contact-job:{id}`."""

    id = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "import or export"})
    file_name = fields.String(required=True)
    size_bytes = fields.Integer(required=True, strict=True)
    state = fields.String(required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    error = fields.Nested(ImportErrorSchema, required=True, allow_none=True)
    rejected_file = fields.Boolean(required=True, metadata={"description": "an import's rejected rows can be fetched"})
    file = fields.Boolean(required=True, metadata={"description": "an export's file can be fetched"})
    created_at = fields.DateTime(required=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    finished_at = fields.DateTime(required=True, allow_none=True)


class ContactUploadQuery(Schema):
    file_name = fields.String(required=True, validate=validate.Length(1, 255))


class ContactExportSchema(ContactSelectionSchema):
    format = fields.String(required=True, validate=validate.OneOf(FORMATS))


ContactPageSchema = page_of(ContactSchema)
DuplicateContactsPageSchema = page_of(DuplicateContactsSchema)
ContactJobPageSchema = page_of(ContactJobSchema)
