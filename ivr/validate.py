"""Everything that is wrong with a menu, node by node. Pure. Errors forbid publishing, warnings don't."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from ivr.expressions import BadExpression, parse
from ivr.findings import Finding
from ivr.flow import Flow, Node
from ivr.nodes import VERBS
from ivr.nodes.goto import Goto
from ivr.prompts import holes, prompt_id, well_formed
from ivr.state import OF_CALL
from ivr.verb import ANY, LANGUAGES, VARIABLE, Kind, Severity, Verb, read

MOST_NODES = 300
_BRACES = re.compile(r"\{[^{}]*\}")
_HOLE = re.compile(r"\{[a-z][a-z0-9_]*(?::digits)?\}")


@dataclass(frozen=True)
class Known:
    """Ids that exist, by kind; None: not known here, so not judged."""

    queues: Set[int] | None = None
    flows: Set[int] | None = None
    agents: Set[int] | None = None
    prompts: Set[int] | None = None
    calendars: Set[int] | None = None

    def has(self, kind: Kind, value: int) -> bool:
        """Whether there is such a one."""
        ids = {
            Kind.QUEUE: self.queues, Kind.FLOW: self.flows, Kind.AGENT: self.agents, Kind.CALENDAR: self.calendars,
        }[kind]  # fmt: skip
        return ids is None or value in ids


def validate(flow: Flow, known: Known, flow_id: int | None = None) -> list[Finding]:
    """All findings: those of the menu as a whole, then node by node in the menu's order. `flow_id` is the menu's own
    id, by which a "go to" may lead back to itself."""
    nodes = {n.id: n for n in flow.nodes}
    verbs: dict[str, Verb] = {}
    found: list[Finding] = list(_whole(flow, nodes))
    by_node: dict[str, list[Finding]] = {n: [] for n in nodes}
    for node in nodes.values():
        kind = VERBS.get(node.verb)
        if kind is None:
            by_node[node.id].append(Finding("unknown_verb", node=node.id, params={"verb": node.verb}))
            continue
        try:
            verbs[node.id] = read(kind, node.settings)
        except msgspec.ValidationError as error:
            finding = Finding("unreadable_settings", node=node.id, params={"reason": str(error)})
            by_node[node.id].append(finding)
            continue
        by_node[node.id] += _settings(node.id, verbs[node.id], known, flow_id)
        by_node[node.id] += _ways(node, verbs[node.id], nodes)
    for finding in (*_reach(flow, nodes, verbs, flow_id), *_variables(verbs)):
        by_node[finding.node].append(finding)
    return found + [f for n in nodes for f in by_node[n]]


def _whole(flow: Flow, nodes: Mapping[str, Node]) -> Iterator[Finding]:
    if not flow.start:
        yield Finding("no_start")
    elif flow.start not in nodes:
        yield Finding("unknown_start")
    if len(flow.nodes) > MOST_NODES:
        yield Finding("too_many_nodes", params={"most": str(MOST_NODES)})
    if flow.language not in LANGUAGES:
        yield Finding("bad_language", params={"language": flow.language}, where="language")
    for node_id in {n.id for n in flow.nodes if sum(m.id == n.id for m in flow.nodes) > 1}:
        yield Finding("same_id", node=node_id)


# ----------------------------------------------------------------------------------------------------- one node's own


def _settings(node: str, verb: Verb, known: Known, flow_id: int | None) -> Iterator[Finding]:
    def wrong(code: str, where: str = "", severity: Severity = Severity.ERROR, **params: str) -> Finding:
        return Finding(code, severity, node, where, params)

    for one in fields(verb):
        meta, value = one.metadata, getattr(verb, one.name)
        if meta["when"] and str(getattr(verb, meta["when"][0])) not in meta["when"][1].split(","):
            continue
        if meta["required"] and _empty(meta["kind"], value):
            yield (
                wrong("missing_prompt", one.name)
                if meta["kind"] in (Kind.PROMPTS, Kind.TEXTS)
                else wrong("no_keys" if meta["kind"] is Kind.KEYS else "missing_setting", one.name, field=one.name)
            )
            continue
        yield from _bounds(wrong, one.name, meta, value)
        yield from _shape(wrong, one.name, meta, value, known)
    for kind, value, where in verb.points_at():
        own = kind is Kind.FLOW and value == flow_id and flow_id is not None
        if value is not None and not own and not known.has(kind, value):
            yield wrong(f"unknown_{kind.value}", where)
    for said in verb.check():
        yield Finding(said.code, said.severity, node, said.where, said.params)


def _empty(kind: Kind, value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if kind is Kind.TEXTS:
        return not any(text.strip() for text in value.values())
    if kind is Kind.PROMPTS:
        return not any(value.values())
    return value is None or (isinstance(value, Mapping | tuple) and not value)


def _bounds(wrong: Any, name: str, meta: Mapping[str, Any], value: Any) -> Iterator[Finding]:
    sizes = [len(v) for v in value.values()] if meta["kind"] is Kind.TEXTS else []
    size = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str):
        size = len(value)
    elif sizes:
        size = max(sizes)
    if size is None:
        return
    if meta["low"] is not None and size < meta["low"]:
        if name == "timeout_s":
            yield wrong("missing_timeout", name)
        else:
            yield wrong("too_low", name, field=name, low=f"{meta['low']:g}")
    if meta["high"] is not None and not size <= meta["high"]:
        yield wrong("too_high", name, field=name, high=f"{meta['high']:g}")


def _shape(wrong: Any, name: str, meta: Mapping[str, Any], value: Any, known: Known) -> Iterator[Finding]:
    kind: Kind = meta["kind"]
    if kind is Kind.CHOICE and value not in meta["choices"]:
        yield wrong("unknown_choice", name, field=name, value=str(value))
    if kind is Kind.VARIABLE and value and not VARIABLE.fullmatch(value):
        yield wrong("bad_variable", name, value=value)
    if kind is Kind.FIELDS:
        for variable, path in value.items():
            if not VARIABLE.fullmatch(variable) or not path.strip():
                yield wrong("bad_variable", name, value=variable)
    if kind in (Kind.TEXTS, Kind.PROMPTS):
        for language in value:
            if language not in (ANY, *LANGUAGES):
                yield wrong("bad_language", name, language=language)
    if kind is Kind.PROMPTS:
        for prompt in (p for ps in value.values() for p in ps):
            number = prompt_id(prompt)
            if not well_formed(prompt):
                yield wrong("bad_prompt", name, prompt=prompt[:60])
            elif number is not None and known.prompts is not None and number not in known.prompts:
                yield wrong("unknown_prompt", name)
    for template in _templates(kind, value):
        for braces in _BRACES.findall(template):
            if not _HOLE.fullmatch(braces):
                yield wrong("bad_template", name, Severity.WARNING, value=braces[:40])


def _templates(kind: Kind, value: Any) -> list[str]:
    match kind:
        case Kind.NUMBER:
            return [value]
        case Kind.TEXTS:
            return list(value.values())
        case Kind.PROMPTS:
            return [p for ps in value.values() for p in ps if p.startswith("say:")]
    return []


def _ways(node: Node, verb: Verb, nodes: Mapping[str, Node]) -> Iterator[Finding]:
    there = {w.name: w for w in verb.ways()}
    for way in there.values():
        if way.required and not node.ways.get(way.name):
            yield Finding("missing_way", node=node.id, where=way.name, params={"way": way.name})
    for name, target in node.ways.items():
        if name not in there:
            if target:
                yield Finding("unknown_way", Severity.WARNING, node.id, name, {"way": name})
        elif target and target not in nodes:
            yield Finding("way_to_nowhere", node=node.id, where=name, params={"way": name})


# --------------------------------------------------------------------------------------------------- the whole graph


def _reach(flow: Flow, nodes: Mapping[str, Node], verbs: Mapping[str, Verb], flow_id: int | None) -> Iterator[Finding]:
    every: dict[str, set[str]] = {n: set() for n in nodes}
    alone: dict[str, set[str]] = {n: set() for n in nodes}  # by ways that need nothing from the caller
    for node_id, verb in verbs.items():
        for way in verb.ways():
            target = nodes[node_id].ways.get(way.name) or nodes[node_id].ways.get("next", "")
            if target in nodes:
                every[node_id].add(target)
                if not way.by_caller:
                    alone[node_id].add(target)
        if isinstance(verb, Goto) and verb.flow is not None and verb.flow == flow_id and flow.start in nodes:
            every[node_id].add(flow.start)
            alone[node_id].add(flow.start)
    reached = _from({flow.start} & set(nodes), every)
    for node_id in nodes:
        if node_id not in reached and flow.start in nodes:
            yield Finding("unreachable", Severity.WARNING, node_id)
    # Where a way is missing or a verb unknown there is a finding already: they count as ends.
    ends = {n for n in nodes if n not in verbs or _may_end(verbs[n], nodes[n], nodes, flow_id)}
    backwards: dict[str, set[str]] = {n: set() for n in nodes}
    for node_id, targets in every.items():
        for target in targets:
            backwards[target].add(node_id)
    living = _from(ends, backwards)
    for node_id in nodes:
        if node_id in reached and node_id not in living:
            yield Finding("dead_end", node=node_id)
    for node_id in _in_circles(alone):
        if node_id in reached:
            yield Finding("loop", node=node_id)


def _may_end(verb: Verb, node: Node, nodes: Mapping[str, Node], flow_id: int | None) -> bool:
    if verb.ends:
        return not (isinstance(verb, Goto) and verb.flow == flow_id)
    return any(w.required and node.ways.get(w.name) not in nodes for w in verb.ways())


def _from(begin: Set[str], edges: Mapping[str, Set[str]]) -> set[str]:
    seen, todo = set(begin), list(begin)
    while todo:
        for target in edges[todo.pop()]:
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def _in_circles(edges: Mapping[str, Set[str]]) -> list[str]:
    """The nodes that come back to themselves."""
    return [n for n in edges if n in _from(edges[n], edges)]


def _variables(verbs: Mapping[str, Verb]) -> Iterator[Finding]:
    there = {*OF_CALL, *(v for verb in verbs.values() for v in verb.sets())}
    for node_id, verb in verbs.items():
        wanted = {h for template in verb.templates() for h in holes(template)}
        for expression in verb.expressions():
            try:
                wanted |= parse(expression).reads
            except BadExpression:
                continue
        for variable in sorted(wanted - there):
            yield Finding("unset_variable", Severity.WARNING, node_id, params={"variable": variable})
