"""How prompts are written in a menu, and what becomes of them when they are played.

In a menu a prompt is one of

    prompt:<id>              a prompt of the enterprise
    say:<language>:<text>    spoken; the language may be left out (say::<text>): the caller's. {variables} are filled in
    tone:<name>, silence, silence:<ms>, <name>    as `callcenter.prompts.names` says

and prompts are given by language (`en`, `zh`) or for any (`any`): {"any": ["prompt:3"]}, {"en": […], "zh": […]}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from callcenter.prompts import names
from ivr.verb import ANY, LANGUAGES, Prompts, Texts

SAY_MAX = 1000  # characters spoken in one go
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)(?::(digits))?\}")

Values = Mapping[str, object]


def fill(template: str, values: Values) -> str:
    """`template` with {name} replaced by the variable; {name:digits} is its characters one by one, as a number is
    read out. A variable that is not there is empty."""

    def put(hole: re.Match[str]) -> str:
        text = words(values.get(hole[1], ""))
        return " ".join(text) if hole[2] else text

    return _HOLE.sub(put, template)


def holes(template: str) -> list[str]:
    """Names of the variables that `template` wants."""
    return [name for name, _ in _HOLE.findall(template)]


def words(value: object) -> str:
    """A variable as it is said and shown: whole numbers without a point, truth as 1 or nothing."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def chosen(prompts: Prompts, language: str) -> tuple[str, ...]:
    """Those for `language`: its own, else those for any, else the first there are."""
    for key in (language, ANY, *prompts):
        if prompts.get(key):
            return tuple(prompts[key])
    return ()


def text_of(texts: Texts, language: str) -> tuple[str, str]:
    """(language, text) for a caller who hears `language`; the text's own language if there is none in his."""
    for key in (language, ANY, *texts):
        if texts.get(key, "").strip():
            return (language if key == ANY else key), texts[key]
    return language, ""


def spoken(text: str, language: str, values: Values) -> str:
    """`text` as a prompt to play; empty if nothing is left to say."""
    filled = " ".join(fill(text, values).split())[:SAY_MAX]
    return f"say:{language}:{filled}" if filled else ""


def resolve(prompt: str, language: str, values: Values) -> str:
    """One prompt of a menu as `calls.control.Play` wants it; empty if it says nothing."""
    if not prompt.startswith("say:"):
        return prompt
    own, _, text = prompt.removeprefix("say:").partition(":")
    return spoken(text, own if own in LANGUAGES else language, values)


def prompt_id(prompt: str) -> int | None:
    """The enterprise's prompt that is meant."""
    try:
        name = names.parse(prompt)
    except names.BadName:
        return None
    return name.id if isinstance(name, names.OfEnterprise) else None


def well_formed(prompt: str) -> bool:
    """Whether `prompt` is written as above."""
    try:
        name = names.parse(prompt)
    except names.BadName:
        return False
    return not isinstance(name, names.Spoken) or name.language in ("", *LANGUAGES)
