"""Files are short, packages say what they are for, and nothing half done or of one machine is committed."""

from __future__ import annotations

import ast
import re

from tests.house.sources import ROOT, committed, name_of, text_of

MOST_LINES = 400
# Longer files, each with what it may grow to and why it is one file all the same.
LONG: dict[str, tuple[int, str]] = {
    "callcenter/telephony/ports.py": (
        510,
        "the contract of three peers, mostly docstrings, read as one",
    ),
    "callcenter/telephony/media/worker.py": (430, "one method for each command of the media protocol, one dispatcher"),
}
_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "coming" + " soon")) + r")\b")
# Written apart, so that this file does not hold what it looks for.
_OF_A_MACHINE = ("/wo" + "rk/", "/ro" + "ot/", "/tmp/ba" + "sh", "/ho" + "me/")
_REGISTRIES = ("py" + "pi.", "pythonhos" + "ted.", "registry.np" + "mjs", "npmmir" + "ror", "--index" + "-url")


def _sized() -> dict[str, int]:
    """Source file → lines; migrations and tests are left out: they are lists, read in parts."""
    out: dict[str, int] = {}
    for path in committed():
        name = name_of(path)
        if path.suffix not in (".py", ".ts", ".vue") or name.startswith("tests/") or "/migrations/" in name:
            continue
        out[name] = len(path.read_text().splitlines())
    return out


def test_source_files_are_read_in_one_sitting() -> None:
    sizes = _sized()
    long = {name: lines for name, lines in sizes.items() if lines > LONG.get(name, (MOST_LINES, ""))[0]}
    assert not long, f"more than {MOST_LINES} lines; look for the second idea inside: {long}"


def test_no_exemption_from_the_size_is_stale() -> None:
    sizes = _sized()
    stale = [name for name in LONG if sizes.get(name, 0) <= MOST_LINES]
    assert not stale, f"short enough, or gone: {stale}"
    assert all(len(reason) > 20 for _, reason in LONG.values())


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        name_of(path)
        for path in committed()
        if path.name == "__init__.py"
        and not name_of(path).startswith(("tests/", "benchmarks/"))
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent, silent


def test_nothing_unfinished_is_committed() -> None:
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in committed()
        if path.name != "package-lock.json" and (text := text_of(path)) is not None
        for match in _UNFINISHED.finditer(text)
    ]
    assert not found, found


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{name_of(path)}: {piece}"
        for path in committed()
        if (text := text_of(path)) is not None
        for piece in (*_OF_A_MACHINE, *_REGISTRIES)
        if piece in text
    ]
    assert not found, found


def test_no_test_is_skipped_without_a_reason() -> None:
    silent = []
    for path in committed():
        if not name_of(path).startswith("tests/") or path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text())
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail"):
                owner = ast.unparse(node.value)
                if owner not in ("pytest", "pytest.mark", "mark"):
                    continue
                call = calls.get(id(node))
                named = call is not None and any(k.arg == "reason" for k in call.keywords)
                told = owner == "pytest" and call is not None and bool(call.args)
                if not (named or told):
                    silent.append(f"{name_of(path)}:{node.lineno}")
    assert not silent, silent


def test_documents_link_to_files_that_are_there() -> None:
    broken = []
    for path in committed():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", path.read_text()):
            if not (path.parent / target).exists():
                broken.append(f"{name_of(path)} → {target}")
    assert not broken, broken
    assert (ROOT / "README.md").exists()
