"""Menus of inbound calls: drafts, versions, what is wrong with them, trying them out, their figures."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter import wire
from callcenter.calls.commands import TryFlow
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden
from callcenter.events import streams
from ivr import actions, figures, palette, queries
from ivr.compare import compare
from ivr.flow import stored
from ivr.models import SurveyAnswerRow
from ivr.validate import validate
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.flows import (
    CopyFlowSchema,
    FlowAnswerPageSchema,
    FlowAnswersQuery,
    FlowChangesSchema,
    FlowComparisonSchema,
    FlowDetailSchema,
    FlowDraftSchema,
    FlowFiguresQuery,
    FlowFiguresSchema,
    FlowFindingsSchema,
    FlowOptionsSchema,
    FlowPageSchema,
    FlowPaletteSchema,
    FlowQuery,
    FlowSimulationSchema,
    FlowToCheckSchema,
    FlowTranscriptSchema,
    FlowTryingSchema,
    FlowVersionDetailSchema,
    FlowVersionPageSchema,
    NewFlowSchema,
    PublishFlowSchema,
    RollBackFlowSchema,
)

blueprint = Blueprint("flows", __name__, url_prefix="/api/flows", description="Menus of inbound calls")


@blueprint.get("")
@requires("flows.read")
@blueprint.arguments(FlowQuery, location="query")
@blueprint.response(200, FlowPageSchema)
def list_flows(args: dict[str, Any]) -> dict[str, Any]:
    """All menus, by name."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.listed(args["search"]), args)
        page["items"] = queries.summaries(db, page["items"])
        return page


@blueprint.post("")
@requires("flows.write")
@blueprint.arguments(NewFlowSchema)
@blueprint.response(201, FlowDetailSchema)
def create_flow(given: dict[str, Any]) -> dict[str, Any]:
    """A new menu. Callers hear it once it is published."""
    with tenant_session(tenant_id()) as db:
        row = actions.create(db, current_actor(), **given)
        return queries.detail(db, row)


@blueprint.get("/verbs")
@requires("flows.read")
@blueprint.response(200, FlowPaletteSchema)
def get_verbs() -> dict[str, Any]:
    """The palette: every verb with its settings and ways out, from which the editor draws its forms."""
    return palette.palette()


@blueprint.get("/options")
@requires("flows.read")
@blueprint.response(200, FlowOptionsSchema)
def get_flow_options() -> dict[str, Any]:
    """Queues, menus, agents, prompts and calendars that nodes can point at."""
    with tenant_session(tenant_id()) as db:
        return queries.options(db)


@blueprint.get("/<int:flow_id>")
@requires("flows.read")
@blueprint.response(200, FlowDetailSchema)
def get_flow(flow_id: int) -> dict[str, Any]:
    """The draft, what is published, and what is wrong with the draft."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, queries.find(db, flow_id))


@blueprint.patch("/<int:flow_id>")
@requires("flows.write")
@blueprint.arguments(FlowChangesSchema)
@blueprint.response(200, FlowDetailSchema)
def change_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Another name or description."""
    with tenant_session(tenant_id()) as db:
        row = actions.rename(db, current_actor(), flow_id, given)
        db.refresh(row)
        return queries.detail(db, row)


@blueprint.delete("/<int:flow_id>")
@requires("flows.write")
@blueprint.response(204)
def delete_flow(flow_id: int) -> None:
    """Delete one that nothing leads to. 409 `flow.in_use` with `params.used_by`."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), flow_id)


@blueprint.put("/<int:flow_id>/draft")
@requires("flows.write")
@blueprint.arguments(FlowDraftSchema)
@blueprint.response(200, FlowDetailSchema)
def put_flow_draft(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Save the draft. 409 `flow.changed` if somebody else has saved it since `revision` was loaded."""
    with tenant_session(tenant_id()) as db:
        row = actions.save_draft(db, current_actor(), flow_id, given["revision"], given["flow"])
        db.refresh(row)
        return queries.detail(db, row)


@blueprint.post("/<int:flow_id>/validate")
@requires("flows.read")
@blueprint.arguments(FlowToCheckSchema)
@blueprint.response(200, FlowFindingsSchema)
def validate_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Everything that is wrong with the given graph, or with the saved draft. Nothing is stored."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        flow = stored(given["flow"] or row.draft)
        return queries.counted(validate(flow, queries.known(db), row.id))


@blueprint.post("/<int:flow_id>/publish")
@requires("flows.write")
@blueprint.arguments(PublishFlowSchema)
@blueprint.response(200, FlowDetailSchema)
def publish_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Callers hear the saved draft from now on. 409 `flow.has_errors` with `params.findings`, 409 `flow.changed`."""
    with tenant_session(tenant_id()) as db:
        row = actions.publish(db, current_actor(), flow_id, given["revision"], given["note"])
        db.refresh(row)
        return queries.detail(db, row)


@blueprint.post("/<int:flow_id>/rollback")
@requires("flows.write")
@blueprint.arguments(RollBackFlowSchema)
@blueprint.response(200, FlowDetailSchema)
def roll_back_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Callers hear this version again; the draft stays as it is."""
    with tenant_session(tenant_id()) as db:
        row = actions.roll_back(db, current_actor(), flow_id, given["version"])
        db.refresh(row)
        return queries.detail(db, row)


@blueprint.post("/<int:flow_id>/copy")
@requires("flows.write")
@blueprint.arguments(CopyFlowSchema)
@blueprint.response(201, FlowDetailSchema)
def copy_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """A new menu with the same draft."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, actions.copy(db, current_actor(), flow_id, given["name"]))


@blueprint.get("/<int:flow_id>/versions")
@requires("flows.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, FlowVersionPageSchema)
def list_flow_versions(args: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """What was published, the newest first."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        return paged(db, queries.versions(flow_id), args, lambda v: queries.version_line(row, v))


@blueprint.get("/<int:flow_id>/versions/<int:version>")
@requires("flows.read")
@blueprint.response(200, FlowVersionDetailSchema)
def get_flow_version(flow_id: int, version: int) -> dict[str, Any]:
    """One version with its graph."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        found = queries.version(db, flow_id, version)
        return {**queries.version_line(row, found), "flow": wire.plain(stored(found.flow))}


@blueprint.get("/<int:flow_id>/versions/<int:version>/compare/<int:other>")
@requires("flows.read")
@blueprint.response(200, FlowComparisonSchema)
def compare_flow_versions(flow_id: int, version: int, other: int) -> dict[str, Any]:
    """What has become of `version` in `other`; 0 is the draft."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        a, b = queries.graph_of(db, row, version), queries.graph_of(db, row, other)
        told = compare(a, b).plain()
        for change in told["changed"]:
            change["fields_"] = change.pop("fields")
        return {"a": version, "b": other, **told}


@blueprint.post("/<int:flow_id>/try")
@requires("flows.read", "desk.use")
@blueprint.arguments(FlowToCheckSchema)
@blueprint.response(200, FlowTryingSchema)
def try_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Call the menu from the user's own phone: the given graph, or the saved draft. The phone must be connected."""
    user_id = current_actor().user_id
    if user_id is None:
        raise Forbidden("Only a user has a phone.")
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        flow = wire.plain(stored(given["flow"] or row.draft))
        doc = {"id": row.id, "name": row.name, "version": 0, "flow": flow}
    answer = streams.send(tenant_id(), TryFlow(user_id=user_id, flow_id=flow_id, doc=doc))
    return {"call_id": str((answer or {}).get("call_id", "")), "topic": f"flow-try:{user_id}"}


@blueprint.post("/<int:flow_id>/simulate")
@requires("flows.read")
@blueprint.arguments(FlowSimulationSchema)
@blueprint.response(200, FlowTranscriptSchema)
def simulate_flow(given: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Try it in text: what a caller would hear who does `inputs` one after the other. Nothing is stored or called."""
    with tenant_session(tenant_id()) as db:
        return queries.simulated(db, queries.find(db, flow_id), **given)


@blueprint.get("/<int:flow_id>/figures")
@requires("flows.read")
@blueprint.arguments(FlowFiguresQuery, location="query")
@blueprint.response(200, FlowFiguresSchema)
def flow_figures(args: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Per node: reached, left, time, ways. The last 30 days if no dates are given."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        return figures.figures(db, row.id, args["from_"], args["to"], args["version"])


@blueprint.get("/<int:flow_id>/answers")
@requires("flows.read")
@blueprint.arguments(FlowAnswersQuery, location="query")
@blueprint.response(200, FlowAnswerPageSchema)
def flow_answers(args: dict[str, Any], flow_id: int) -> dict[str, Any]:
    """Answers to its survey questions, the newest first."""
    with tenant_session(tenant_id()) as db:
        row = queries.find(db, flow_id)
        return paged(db, figures.answers(db, row.id, args["from_"], args["to"], args["node"]), args, _answer)


def _answer(row: SurveyAnswerRow) -> dict[str, Any]:
    return {
        "id": row.id, "at": row.at, "call_id": row.call_id, "node": row.node_id, "question": row.question,
        "answer": row.answer, "recording_id": row.recording_id,
    }  # fmt: skip
