"""docs/operating.md and the code name the same settings and the same processes."""

from __future__ import annotations

import ast
import re

from tests.house.sources import ROOT, committed, name_of

PAGE = (ROOT / "docs/operating.md").read_text()
# Set by one of our processes for another: nothing to choose.
INTERNAL = {"PROMETHEUS_MULTIPROC_DIR", "DEMO_PHONE_PASSWORD", "DEMO", "PYTHONPATH"}
_READERS = {"env", "env.get", "_int", "os.environ.get", "environ.get", "os.getenv"}


def _read_in_code() -> set[str]:
    """Names of the environment variables that the product reads."""
    names: set[str] = set()
    for path in committed():
        if path.suffix != ".py" or not name_of(path).startswith(
            ("callcenter/", "crm/", "ivr/", "dialer/", "smsgateway/", "web/", "demo/")
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            key: ast.expr | None = None
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in _READERS:
                key = node.args[0]
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                key = node.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                names.add(key.value)
    settings = (ROOT / "demo/settings.py").read_text()
    names |= {f"DEMO_CARRIER_{name}" for name in re.findall(r'number\("([A-Z_]+)"', settings)}
    runner = (ROOT / "callcenter/processes/runner.py").read_text()
    names |= set(re.findall(r'"([A-Z_]+_PORT)": \d+', runner))
    return names - INTERNAL


def test_every_setting_is_told_and_none_that_is_gone() -> None:
    section = PAGE.split("## Settings")[1].split("\n## ")[0]
    told = set(
        re.findall(r"`([A-Z][A-Z_]+)`", "\n".join(row.split("|")[1] for row in section.splitlines() if "|" in row))
    )
    read = _read_in_code()
    assert told == read, f"not told: {sorted(read - told)}; gone: {sorted(told - read)}"


def test_every_process_is_told() -> None:
    section = PAGE.split("## Processes")[1].split("\n## ")[0]
    told = {name.removesuffix("-N") for name in re.findall(r"^\| `([a-zA-Z-]+)` \|", section, re.MULTILINE)}
    lines = (ROOT / "Procfile").read_text().splitlines()
    running = {line.split(":")[0] for line in lines if line and not line.startswith("#")}
    assert told == running | {"postgres", "valkey"}


def test_every_process_of_the_procfile_is_a_file_of_the_outermost_ring() -> None:
    modules = re.findall(r"^\w+: python -m (\S+)", (ROOT / "Procfile").read_text(), re.MULTILINE)
    assert modules
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
