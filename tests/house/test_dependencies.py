"""docs/dependencies.md has a line for each dependency, no line of one that is gone, and none is there for nothing."""

from __future__ import annotations

import ast
import json
import re
from importlib.metadata import packages_distributions

from tests.house.sources import ROOT, committed

_LINE = re.compile(r"^- \*\*(?P<name>[^*]+)\*\* \((?P<licence>[^)]+)\): (?P<reason>.{15,})$")
# Needed without an import in our sources.
NOT_IMPORTED = {
    "simple-websocket": "Flask-SocketIO speaks WebSocket through it",
    "python-socketio": "Flask-SocketIO stands on it; pinned because they are released apart",
    "gunicorn": "started as a command",
    "psycopg": "SQLAlchemy's driver, and LISTEN in the relay",
    "ruff": "a command",
    "mypy": "a command",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "axe-playwright-python": "the browser tests ask it for faults of accessibility",
}


def _names(file: str) -> set[str]:
    lines = (ROOT / file).read_text().splitlines()
    return {m[1] for line in lines if (m := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]+\])?==", line))}


def _ui_names() -> set[str]:
    package = json.loads((ROOT / "web/ui/package.json").read_text())
    return {*package["dependencies"], *package["devDependencies"]}


def test_each_dependency_has_its_reason_and_licence_and_none_is_stale() -> None:
    told: list[str] = []
    for line in (ROOT / "docs/dependencies.md").read_text().splitlines():
        if line.startswith("- **"):
            match = _LINE.match(line)
            assert match, f"write it as `- **name** (licence): reason`: {line}"
            told.append(match["name"])
    wanted = _names("requirements.txt") | _names("requirements-dev.txt") | _ui_names()
    assert sorted(told) == sorted(wanted), f"missing {wanted - set(told)}, stale {set(told) - wanted}"


def test_every_requirement_is_pinned() -> None:
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==[\w.]+", line), f"{file}: {line}"
    package = json.loads((ROOT / "web/ui/package.json").read_text())
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert re.fullmatch(r"\d[\w.-]*", version), f"{name} {version}"


def test_every_requirement_is_used() -> None:
    imported: set[str] = set()
    for path in committed():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.split(".")[0])
    installed = packages_distributions()
    used = {d.lower().replace("_", "-") for m in imported for d in installed.get(m, ())}
    wanted = _names("requirements.txt") | _names("requirements-dev.txt")
    idle = {n for n in wanted - NOT_IMPORTED.keys() if n.lower().replace("_", "-") not in used}
    assert not idle, f"required and imported nowhere: {sorted(idle)}"
    assert NOT_IMPORTED.keys() <= wanted


def test_the_gpl_phone_stays_in_a_process_of_its_own() -> None:
    """pyVoIP is GPL-3.0: only the demo's phone program may load it, and nothing may load that program."""
    phone = ROOT / "demo/pyvoip_phone.py"
    for path in committed():
        if path.suffix != ".py" or path.parts[-2:] == phone.parts[-2:] or "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            assert not any(n.split(".")[0] == "pyVoIP" or n == "demo.pyvoip_phone" for n in names), path
