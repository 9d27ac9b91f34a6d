"""What fills the placeholders of a text, from the fields of those who get it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

# Family names of two characters, so that 欧阳娜 is not taken for 欧 and 阳娜.
_COMPOUND: Final = re.compile(
    "欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐|东方|独孤|南宫|长孙|宇文|司徒|司空|端木"
    "|歐陽|司馬|諸葛|尉遲|東方|獨孤|南宮|長孫"
)


def names_of(name: str) -> tuple[str, str]:
    """(first name, last name) of a whole name: 王小明 → 小明, 王; Ann Mary Lee → Ann Mary, Lee. A single word is the
    first name."""
    name = name.strip()
    if not name:
        return "", ""
    if all(unicodedata.name(c, "").startswith("CJK UNIFIED") for c in name) and 2 <= len(name) <= 4:
        cut = 2 if len(name) > 2 and _COMPOUND.match(name) else 1
        return name[cut:], name[:cut]
    words = name.split()
    return (" ".join(words[:-1]), words[-1]) if len(words) > 1 else (name, "")


def shown(value: Any) -> str:
    """The value of a field as it stands in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "✓" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        return ", ".join(shown(v) for v in value)
    return str(value)


def values_of(name: str, phone: str, fields: Mapping[str, Any], **more: str) -> dict[str, str]:
    """Placeholder → value of one recipient; `fields` are the enterprise's own, by key."""
    first, last = names_of(name)
    out = {f"field.{key}": shown(value) for key, value in fields.items()}
    out |= {"name": name, "first_name": first, "last_name": last, "phone": phone, **more}
    if not out.get("company") and fields.get("company"):
        out["company"] = shown(fields["company"])
    return out
