"""Templates: filled in for each recipient, faults named with their place, hostile ones harmless."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.errors import InvalidInput
from smsgateway.templates import MAX_LENGTH, MAX_PLACEHOLDERS, examine, parse, signed

HOSTILE = [
    "{{7*7}}",
    "{{name.__class__.__mro__}}",
    "{{''.__class__}}",
    "{{config}}",
    "{% for x in y %}{% endfor %}{{name}}{% include '/etc/passwd' %}{{}}",
    "${jndi:ldap://x}{{ }}",
    "{0.__init__.__globals__}{{{name}}}",
    "{{field.}}",
    "{{field.a.b}}",
    "{{name" * 500,
    "{{" * 4999,
    "}}" * 4999,
    "{{name|" + "{{name|" * 100,
]


@pytest.mark.promise("S1")
def test_placeholders_are_filled_in_for_each_recipient() -> None:
    template = parse(
        "Dear {{name|customer}}, policy {{field.policy_no}} of {{ company }} ends.", frozenset({"policy_no"})
    )
    values = {"name": "Wang Li", "field.policy_no": "P-7", "company": "Acme"}
    assert template.render(values) == "Dear Wang Li, policy P-7 of Acme ends."
    assert template.render({"company": "Acme"}) == "Dear customer, policy  of Acme ends."
    assert template.missing({"company": " "}) == ("field.policy_no", "company")
    assert [p.name for p in template.placeholders] == ["name", "field.policy_no", "company"]
    assert not parse("Hello").personal


def test_unknown_placeholders_are_named_with_their_place() -> None:
    body = "Hi {{nmae}}, {{name}}: {{field.nothing}}"
    faults = examine(body, frozenset({"policy_no"}))[1]
    assert [(f.code, f.text, body[f.at : f.at + 2]) for f in faults] == [
        ("unknown", "nmae", "{{"),
        ("unknown", "field.nothing", "{{"),
    ]
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert caught.value.code == "template"
    assert "“nmae” (character 4)" in caught.value.fields["body"]
    assert [f["at"] for f in caught.value.params["faults"]] == [3, 23]  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_templates_are_refused_at_once(body: str) -> None:
    began = time.thread_time()
    faults = examine(body)[1]
    assert faults
    assert {f.code for f in faults} <= {"unknown", "malformed", "too_many", "too_long"}
    assert time.thread_time() - began < 0.5


def test_values_are_never_looked_at_as_templates() -> None:
    template = parse("{{name}} {{company}}")
    assert template.render({"name": "{{company}}", "company": "{{name}}{{name}}"}) == "{{company}} {{name}}{{name}}"
    assert template.render({"name": "a\x00\x07\ud800b", "company": "c\nd"}) == "ab c\nd"


def test_a_text_does_not_blow_up() -> None:
    body = "{{name}}" * MAX_PLACEHOLDERS
    assert len(parse(body).render({"name": "x" * 100_000})) == MAX_LENGTH + 1  # the checks refuse it as too long
    assert [f.code for f in examine(body + "{{name}}" * MAX_PLACEHOLDERS * 2)[1]] == ["too_many"]
    assert [f.code for f in examine("x" * (MAX_LENGTH + 1))[1]] == ["too_long"]


def test_braces_can_be_written() -> None:
    assert parse("{{{{name}}}} {x} {{name}}").render({"name": "Li"}) == "{{name}} {x} Li"


@given(st.text(st.sampled_from("{}|. namefield_x你\n"), max_size=60), st.text(max_size=20))
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_it_is_a_fault_or_it_renders(body: str, value: str) -> None:
    template, faults = examine(body, frozenset({"x"}))
    if faults:
        assert all(0 <= f.at < len(body) for f in faults)
        with pytest.raises(InvalidInput):
            parse(body, frozenset({"x"}))
    else:
        rendered = template.render({p.name: value for p in template.placeholders})
        assert len(rendered) <= MAX_LENGTH + 1
        if not template.personal:
            assert rendered == body.replace("{{{{", "{{").replace("}}}}", "}}")


def test_the_signature_goes_in_front_unless_there_is_one() -> None:
    assert signed("Hello", "Acme") == "【Acme】Hello"
    assert signed("Hello", " 【Acme】 ") == "【Acme】Hello"
    assert signed("【Other】Hello", "Acme") == "【Other】Hello"
    assert signed("Hello 【x】", "Acme") == "【Acme】Hello 【x】"
    assert signed("Hello", "") == "Hello"
