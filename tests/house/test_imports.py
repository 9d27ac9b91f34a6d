"""Who may import whom (the rule of the architecture), read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("callcenter", "crm", "ivr", "dialer", "smsgateway", "web", "demo")
MAY = {
    "callcenter": set(),
    "crm": {"callcenter"},
    "dialer": {"callcenter", "crm", "ivr"},
    "ivr": {"callcenter"},
    "smsgateway": {"callcenter", "crm"},
    "web": {"callcenter", "crm", "ivr", "dialer", "smsgateway"},
    "demo": {"callcenter"},
}
# Pure modules: decided by values and `now`; no clock, no I/O, no library that does any.
PURE = (
    "callcenter/fsm.py",
    "callcenter/calls/leg.py",
    "callcenter/calls/call.py",
    "callcenter/calls/book.py",
    "callcenter/calls/hands.py",
    "callcenter/calls/floor.py",
    "callcenter/calls/control.py",
    "callcenter/calls/destination.py",
    "callcenter/calls/timers.py",
    "callcenter/acd/settings.py",
    "callcenter/acd/agent.py",
    "callcenter/acd/announcing.py",
    "callcenter/acd/team.py",
    "callcenter/acd/routing.py",
    "callcenter/acd/queues.py",
    "callcenter/acd/line.py",
    "callcenter/acd/waiting.py",
    "callcenter/acd/hazard.py",
    "callcenter/acd/free.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "callcenter/acd/strategies").glob("*.py"))),
    "callcenter/prompts/names.py",
    "callcenter/compliance/calling_window.py",
    "callcenter/compliance/judge.py",
    "callcenter/numbers/calendar.py",
    "callcenter/numbers/caller.py",
    "callcenter/numbers/routing.py",
    "callcenter/telephony/trunks.py",
    *(
        str(p.relative_to(ROOT))
        for p in sorted((ROOT / "ivr").rglob("*.py"))
        if p.name not in ("models.py", "actions.py", "queries.py", "used.py", "figures.py")
    ),
    "smsgateway/texts.py",
    "smsgateway/segments.py",
    "smsgateway/templates.py",
    "smsgateway/routing.py",
    "smsgateway/sending/new.py",
    "smsgateway/sending/values.py",
    *(
        f"smsgateway/carriers/{name}.py"
        for name in (
            "plain",
            "refs",
            "policies",
            "smpp_pdu",
            "smpp_text",
            "smpp_receipts",
            "smpp_header",
            "smpp_settings",
        )
    ),
    *(f"smsgateway/words/{name}.py" for name in ("hits", "normalise", "matcher", "pieces", "shipped")),
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "smsgateway/checks").glob("*.py"))),
    "crm/recycling.py",
    "crm/phones.py",
    "dialer/campaign.py",
    "dialer/control.py",
    "dialer/limits.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "dialer/pacing").glob("*.py"))),
)
IMPURE = {"sqlalchemy", "redis", "flask", "asyncio", "socket", "time", "gevent", "requests", "threading", "subprocess"}


def imports(path: Path) -> set[str]:
    """Modules that `path` imports, wherever in the file."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            out.add(node.module)
            out |= {f"{node.module}.{a.name}" for a in node.names}
    return out


def test_packages_import_only_what_lies_below_them() -> None:
    wrong = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.is_relative_to(ROOT / "callcenter/processes"):
                continue  # the outermost ring wires everything
            for name in imports(path):
                top = name.split(".")[0]
                if top in PACKAGES and top != package and top not in MAY[package]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
                if name.startswith("callcenter.processes"):
                    wrong.append(f"{path.relative_to(ROOT)} imports the outermost ring: {name}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_only_the_sip_adapter_knows_sippy_and_only_the_edge_knows_aiortc() -> None:
    homes = {"sippy": "callcenter/telephony/sip", "aiortc": "callcenter/telephony/edge"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in imports(path)
        for library, home in homes.items()
        if name.split(".")[0] == library and not path.is_relative_to(ROOT / home)
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_modules_know_neither_clock_nor_io() -> None:
    wrong = []
    for relative in PURE:
        names = imports(ROOT / relative)
        bad = {n for n in names if n.split(".")[0] in IMPURE or n == "callcenter.clock.wall_s"}
        wrong += [f"{relative} imports {n}" for n in sorted(bad)]
    assert not wrong, "\n".join(wrong)
