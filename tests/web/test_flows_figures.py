"""What callers did in menus: facts through the recorder to the page's figures and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from callcenter import wire
from callcenter.calls.facts import NodeLeft, SurveyAnswer
from callcenter.events import streams
from callcenter.events.envelope import FACTS, Envelope
from callcenter.processes import recorder
from tests.web.conftest import Browser
from tests.web.test_flows import new, publish

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC).timestamp()  # noon in Shanghai
DAYS = "?from=2026-03-02&to=2026-03-02"


@pytest.fixture
def group(app: object, redis_client: redis.Redis) -> None:
    redis_client.xgroup_create(streams.FACTS_STREAM, streams.RECORDER_GROUP, id="0", mkstream=True)


def left(flow: int, call: int, way: str, seconds: float, at: float = NOON, version: int = 1) -> NodeLeft:
    return NodeLeft(f"c{call}", flow, version, "hello", "menu", at - seconds, at, way)


def record(enterprise: int, *facts: object) -> list[Envelope]:
    packed = [FACTS.pack(f, tenant=enterprise, at=NOON, call=f.call_id) for f in facts]
    recorder.record([(b"0-1", {b"e": wire.to_json(e)}) for e in packed])
    return packed


@pytest.mark.promise("I2")
@pytest.mark.promise("R3")
def test_the_figures_of_a_node_are_the_sum_of_its_facts(owner: Browser, enterprise: int, group: None) -> None:
    flow = publish(owner, new(owner)).get_json()["id"]
    facts = [left(flow, n, "1", 4.0) for n in range(6)] + [left(flow, 9, "hang_up", 10.0)]
    packed = record(enterprise, *facts)
    record(
        enterprise,
        left(flow, 10, "2", 2.0, version=2),
        left(flow, 11, "1", 2.0, at=NOON + 13 * 3600),  # the next day in Shanghai
        left(flow, 12, "1", 2.0, version=0),  # somebody tried the draft
        left(flow + 99, 13, "1", 2.0),  # a menu that was deleted meanwhile
    )
    recorder.record([(b"0-1", {b"e": wire.to_json(e)}) for e in packed])  # the stream gives them again

    told = owner.get(f"/api/flows/{flow}/figures{DAYS}").get_json()
    assert told["from"] == told["to"] == "2026-03-02"
    ways = {"1": 6, "2": 1, "hang_up": 1}
    assert told["nodes"] == [{"node": "hello", "reached": 8, "left": 1, "average_s": 4.5, "ways": ways}]
    (only,) = owner.get(f"/api/flows/{flow}/figures{DAYS}&version=2").get_json()["nodes"]
    assert (only["reached"], only["average_s"]) == (1, 2.0)
    assert owner.get(f"/api/flows/{flow}/figures?from=2026-03-03&to=2026-03-01").status_code == 422
    assert owner.get(f"/api/flows/{flow}/figures").get_json()["nodes"] == []


@pytest.mark.promise("C11")
def test_answers_to_survey_questions_are_listed_and_stay_when_the_menu_goes(
    owner: Browser, enterprise: int, group: None
) -> None:
    flow = publish(owner, new(owner)).get_json()["id"]
    record(
        enterprise,
        SurveyAnswer("c1", flow, "ask", "How was it?", "good", NOON),
        SurveyAnswer("c2", flow, "why", "Why?", "", NOON + 60, "rec-1"),
    )
    page = owner.get(f"/api/flows/{flow}/answers{DAYS}").get_json()
    assert [(a["node"], a["answer"], a["recording_id"]) for a in page["items"]] == [
        ("why", "", "rec-1"),
        ("ask", "good", ""),
    ]
    assert owner.get(f"/api/flows/{flow}/answers{DAYS}&node=ask").get_json()["total"] == 1
    assert owner.delete(f"/api/flows/{flow}").status_code == 204
    record(enterprise, SurveyAnswer("c3", flow, "ask", "How was it?", "bad", NOON))
    assert owner.get(f"/api/flows/{flow}/answers{DAYS}").status_code == 404
