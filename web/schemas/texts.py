"""Schemas of sends and their texts: asking for one, its preview, its progress."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.checks.verdict import Check
from smsgateway.texts import Kind, Purpose, SendState, Source, TextState
from web.http import PageQuery, page_of
from web.masking import BodyField, PhoneField

KIND = validate.OneOf([k.value for k in Kind])
PURPOSE = validate.OneOf([p.value for p in Purpose])
_IDS = fields.List(fields.Integer(strict=True), validate=validate.Length(max=500))


class AudiencePersonSchema(Schema):
    """A customer or a lead by id, so that a number need not be seen to be texted. `phone`: which of the numbers of
    their card, from 0."""

    customer_id = fields.Integer(strict=True, allow_none=True, load_default=None)
    lead_id = fields.Integer(strict=True, allow_none=True, load_default=None)
    phone = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, 100))


class AudienceCustomersSchema(Schema):
    """Customers whom the sender sees and who fit all that is given; given empty it is all of them."""

    search = fields.String(validate=validate.Length(max=100))
    tags = fields.List(
        fields.String(validate=validate.Length(1, 40)),
        validate=validate.Length(max=50),
        metadata={"description": "any of them"},
    )
    region = fields.String(validate=validate.Length(max=100))
    grade = fields.List(fields.String(validate=validate.Length(max=1)), validate=validate.Length(max=6))
    owner_id = fields.Integer(strict=True)
    source = fields.String(validate=validate.Length(max=60))
    vip = fields.Boolean()


class AudienceSchema(Schema):
    """Whom a send reaches. Several sources together; whoever is in two of them gets one text."""

    numbers = fields.List(
        fields.String(validate=validate.Length(max=60)),
        load_default=list,
        validate=validate.Length(max=10_000),
        metadata={"description": "as typed"},
    )
    file = fields.String(load_default="", validate=validate.Length(max=40), metadata={"description": "an upload's id"})
    people = fields.List(fields.Nested(AudiencePersonSchema), load_default=list, validate=validate.Length(max=200))
    contacts = fields.List(fields.Integer(strict=True), load_default=list, validate=validate.Length(max=5000))
    groups = fields.List(fields.Integer(strict=True), load_default=list, validate=validate.Length(max=500))
    lists = fields.List(fields.Integer(strict=True), load_default=list, validate=validate.Length(max=100))
    list_statuses = fields.List(
        fields.String(validate=validate.Length(max=20)),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "none: all"},
    )
    customers = fields.Nested(AudienceCustomersSchema, load_default=None, allow_none=True)


class _SendFields(Schema):
    kind = fields.String(load_default=Kind.SMS.value, validate=KIND)
    purpose = fields.String(load_default=Purpose.MARKETING.value, validate=PURPOSE)
    subject = fields.String(load_default="", validate=validate.Length(max=200), metadata={"description": "of an MMS"})
    body = fields.String(required=True, metadata={"description": "with placeholders"})
    signature = fields.String(load_default="", validate=validate.Length(max=60))
    media = fields.List(
        fields.String(validate=validate.Length(1, 40)),
        load_default=list,
        validate=validate.Length(max=10),
        metadata={"description": "ids of uploads, of an MMS"},
    )
    audience = fields.Nested(AudienceSchema, required=True)
    not_before = fields.DateTime(
        load_default=None, allow_none=True, metadata={"description": "without an offset: by the enterprise's clock"}
    )
    local_time = fields.Boolean(load_default=False, metadata={"description": "not_before by the recipient's clock"})
    outside_hours = fields.String(load_default="wait", validate=validate.OneOf(["wait", "refuse"]))
    valid_h = fields.Integer(strict=True, load_default=24, validate=validate.Range(1, 168))
    call_id = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 60),
        metadata={"description": "the call it belongs to; alone it reaches the caller"},
    )


class PreviewTextSchema(_SendFields):
    pass


class NewTextSendSchema(_SendFields):
    key = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "makes a repeated request the same send; the header Idempotency-Key does the same"},
    )
    source = fields.String(load_default=Source.API.value, validate=validate.OneOf(["page", "desk", "api"]))
    template_id = fields.Integer(strict=True, load_default=None, allow_none=True)


class TextMediaSchema(Schema):
    """An upload for an MMS. Its content: GET /api/text-media/{id}."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    type = fields.String(required=True)
    size_bytes = fields.Integer(required=True, strict=True)
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)


class AudienceShownSchema(Schema):
    """Whom a send was for, in names."""

    numbers = fields.Integer(required=True, strict=True, metadata={"description": "how many were typed"})
    people = fields.Integer(required=True, strict=True)
    file_name = fields.String(required=True)
    contacts = fields.Integer(required=True, strict=True)
    groups = fields.List(fields.String(), required=True)
    lists = fields.List(fields.String(), required=True)
    list_statuses = fields.List(fields.String(), required=True)
    customers = fields.Nested(AudienceCustomersSchema, required=True, allow_none=True)
    occasion = fields.String(required=True, metadata={"description": "of a recurring send: birthday, renewal"})


class TextSendErrorSchema(Schema):
    code = fields.String(required=True)
    message = fields.String(required=True)


class TextSendSchema(Schema):
    """A send. Its counts are by the state that its texts are in now and sum to `asked`; follow them on the live topic
    `send:{id}`. `expected`: how many recipients its audience seems to have, 0 if nobody knows."""

    id = fields.Integer(required=True, strict=True)
    kind = fields.String(required=True, validate=KIND)
    purpose = fields.String(required=True, validate=PURPOSE)
    source = fields.String(required=True, validate=validate.OneOf([s.value for s in Source]))
    subject = fields.String(required=True)
    body = fields.String(required=True)
    signature = fields.String(required=True)
    media = fields.List(fields.Nested(TextMediaSchema), required=True)
    template_id = fields.Integer(required=True, allow_none=True)
    template_name = fields.String(required=True)
    rule_id = fields.Integer(required=True, allow_none=True)
    call_id = fields.String(required=True, allow_none=True)
    sender_id = fields.Integer(required=True, allow_none=True)
    sender_name = fields.String(required=True)
    service_number = fields.String(required=True)
    audience = fields.Nested(AudienceShownSchema, required=True)
    state = fields.String(required=True, validate=validate.OneOf([s.value for s in SendState]))
    scheduled = fields.Boolean(required=True, metadata={"description": "nothing goes before `not_before`, still ahead"})
    not_before = fields.DateTime(required=True, allow_none=True)
    local_time = fields.Boolean(required=True)
    outside_hours = fields.String(required=True)
    valid_h = fields.Integer(required=True, strict=True)
    needs_approval = fields.Boolean(required=True)
    decided_by_name = fields.String(required=True)
    decided_at = fields.DateTime(required=True, allow_none=True)
    decision = fields.String(required=True)
    error = fields.Nested(TextSendErrorSchema, required=True, allow_none=True)
    expected = fields.Integer(required=True, strict=True)
    asked = fields.Integer(required=True, strict=True)
    duplicates = fields.Integer(required=True, strict=True)
    approval = fields.Integer(required=True, strict=True)
    queued = fields.Integer(required=True, strict=True)
    submitting = fields.Integer(required=True, strict=True)
    submitted = fields.Integer(required=True, strict=True)
    doubtful = fields.Integer(required=True, strict=True)
    delivered = fields.Integer(required=True, strict=True)
    failed = fields.Integer(required=True, strict=True)
    expired = fields.Integer(required=True, strict=True)
    refused = fields.Integer(required=True, strict=True)
    cancelled = fields.Integer(required=True, strict=True)
    charged_minor = fields.Integer(required=True, strict=True)
    segments = fields.Integer(
        required=True, strict=True, metadata={"description": "of the texts that have gone or still go"}
    )
    currency = fields.String(required=True)
    cancellable = fields.Boolean(required=True, metadata={"description": "by this user, now"})
    created_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)


TextSendPageSchema = page_of(TextSendSchema)


class TextSendQuery(PageQuery):
    state = fields.String(metadata={"description": "one or several, with commas"})
    kind = fields.String(validate=KIND)
    purpose = fields.String(validate=PURPOSE)
    source = fields.String(metadata={"description": "one or several, with commas"})
    sender_id = fields.Integer()
    search = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "in the text, or a recipient's whole number"},
    )
    from_ = fields.Date(data_key="from", attribute="from_", metadata={"description": "day of the enterprise's zone"})
    to = fields.Date(metadata={"description": "included"})


class TextHitSchema(Schema):
    """A sensitive word where it stands in `body`."""

    word = fields.String(required=True)
    category = fields.String(required=True)
    start = fields.Integer(required=True, strict=True)
    end = fields.Integer(required=True, strict=True)
    contiguous = fields.Boolean(required=True)


class TextMessageSchema(Schema):
    """One text to one number. `check`, `rule`, `params`, `hits` say why it was refused, held or cancelled."""

    id = fields.Integer(required=True, strict=True)
    send_id = fields.Integer(required=True, strict=True)
    phone = PhoneField(required=True)
    contact_id = fields.Integer(required=True, allow_none=True)
    customer_id = fields.Integer(required=True, allow_none=True)
    body = BodyField(required=True)
    encoding = fields.String(required=True)
    segments = fields.Integer(required=True, strict=True)
    sender = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([s.value for s in TextState]))
    check = fields.String(required=True, validate=validate.OneOf(["", *(c.value for c in Check)]))
    rule = fields.String(required=True)
    params = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    hits = fields.List(fields.Nested(TextHitSchema), required=True)
    price_minor = fields.Integer(required=True, strict=True, metadata={"description": "of a segment"})
    charged_minor = fields.Integer(required=True, strict=True)
    not_before = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)
    attempts = fields.Integer(required=True, strict=True)
    doubt = fields.Boolean(required=True)
    error_code = fields.String(required=True)
    error = fields.String(required=True)
    submitted_at = fields.DateTime(required=True, allow_none=True)
    final_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


TextMessagePageSchema = page_of(TextMessageSchema)


class TextMessageQuery(PageQuery):
    state = fields.String(metadata={"description": "one or several, with commas"})
    check = fields.String(validate=validate.OneOf([c.value for c in Check]))
    rule = fields.String(validate=validate.Length(max=40))
    search = fields.String(
        load_default="", validate=validate.Length(max=40), metadata={"description": "digits of the number"}
    )


class RefusalCountSchema(Schema):
    """How many of a send's texts a rule of a check refused, held or cancelled."""

    state = fields.String(required=True)
    check = fields.String(required=True)
    rule = fields.String(required=True)
    count = fields.Integer(required=True, strict=True)


class RefusalsSchema(Schema):
    counts = fields.List(fields.Nested(RefusalCountSchema), required=True)


class LeftOutSchema(Schema):
    """Somebody whom a send would not reach, or not before a person has let it pass."""

    phone = PhoneField(required=True)
    name = fields.String(required=True)
    params = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    body = BodyField(required=True, metadata={"description": "where hits are; else empty"})
    hits = fields.List(fields.Nested(TextHitSchema), required=True)


class LeftOutGroupSchema(Schema):
    """The recipients that one rule refuses (`outcome` refused), holds for approval (held) or lets wait for the hours
    (waits), with the first hundred."""

    outcome = fields.String(required=True, validate=validate.OneOf(["refused", "held", "waits"]))
    check = fields.String(required=True, validate=validate.OneOf([c.value for c in Check]))
    rule = fields.String(required=True)
    count = fields.Integer(required=True, strict=True)
    first = fields.List(fields.Nested(LeftOutSchema), required=True)


class WrongRecipientSchema(Schema):
    """A typed number that is none. `line` from 1; `code` as in crm.phones.PhoneFault."""

    line = fields.Integer(required=True, strict=True)
    text = fields.String(required=True)
    code = fields.String(required=True)


class PreviewSampleSchema(Schema):
    phone = PhoneField(required=True)
    name = fields.String(required=True)
    body = BodyField(required=True)
    encoding = fields.String(required=True)
    segments = fields.Integer(required=True, strict=True)
    missing = fields.List(fields.String(), required=True, metadata={"description": "placeholders that stay empty"})


class TextPreviewSchema(Schema):
    """What a send would do. Counts are of the `judged` recipients; beyond 5,000 these are the first of the audience
    (`sample` true) and `expected` says how many it seems to have. The cost is that of all `expected`, estimated from
    those judged."""

    expected = fields.Integer(required=True, strict=True)
    judged = fields.Integer(required=True, strict=True)
    sample = fields.Boolean(required=True)
    duplicates = fields.Integer(required=True, strict=True)
    passed = fields.Integer(required=True, strict=True, metadata={"description": "would go, those that wait included"})
    held = fields.Integer(required=True, strict=True)
    refused = fields.Integer(required=True, strict=True)
    without_value = fields.Integer(
        required=True, strict=True, metadata={"description": "texts that would go with a placeholder that stays empty"}
    )
    segments_min = fields.Integer(required=True, strict=True)
    segments_max = fields.Integer(required=True, strict=True)
    segments = fields.Integer(required=True, strict=True, metadata={"description": "of all that would go or are held"})
    cost_minor = fields.Integer(required=True, strict=True)
    available_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    wrong_numbers = fields.List(fields.Nested(WrongRecipientSchema), required=True)
    wrong_numbers_count = fields.Integer(required=True, strict=True)
    left_out = fields.List(fields.Nested(LeftOutGroupSchema), required=True)
    samples = fields.List(fields.Nested(PreviewSampleSchema), required=True)


class PlaceholderSchema(Schema):
    """`token` is what is written between {{ and }}; `label` of the enterprise's own fields, else empty."""

    token = fields.String(required=True)
    label = fields.String(required=True)


class KindOptionsSchema(Schema):
    available_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    price_minor = fields.Integer(
        required=True, allow_none=True, metadata={"description": "of a segment to a number at home; null: no route"}
    )


class TextOptionsSchema(Schema):
    """What a page for composing needs to know."""

    placeholders = fields.List(fields.Nested(PlaceholderSchema), required=True)
    signature = fields.String(required=True, metadata={"description": "the enterprise's usual one"})
    signature_required = fields.Boolean(required=True, metadata={"description": "no other one may be written"})
    service_number = fields.String(required=True)
    needs_approval = fields.Boolean(required=True)
    max_length = fields.Integer(required=True, strict=True)
    max_parts = fields.Integer(required=True, strict=True)
    max_numbers = fields.Integer(required=True, strict=True)
    sms = fields.Nested(KindOptionsSchema, required=True)
    mms = fields.Nested(KindOptionsSchema, required=True)


class TextFileQuery(Schema):
    file_name = fields.String(required=True, validate=validate.Length(1, 255))


class TextFileColumnSchema(Schema):
    """`placeholder`: what fills in this column's values; empty for the numbers' own column."""

    title = fields.String(required=True)
    placeholder = fields.String(required=True)


class TextFileSchema(Schema):
    """A file of recipients: one column of numbers, the others fill placeholders. `id` goes into an audience."""

    id = fields.String(required=True)
    file_name = fields.String(required=True)
    size_bytes = fields.Integer(required=True, strict=True)
    rows = fields.Integer(required=True, strict=True, metadata={"description": "with a number; header left out"})
    good = fields.Integer(required=True, strict=True, metadata={"description": "of the rows looked at"})
    wrong = fields.List(fields.Nested(WrongRecipientSchema), required=True)
    wrong_count = fields.Integer(required=True, strict=True)
    columns = fields.List(fields.Nested(TextFileColumnSchema), required=True)
    first = fields.List(fields.List(fields.String()), required=True, metadata={"description": "the first rows"})
