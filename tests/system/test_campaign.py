"""A predictive campaign against SIPp, with agents at the other end: every lead as often as its outcome says, every
recording with the right voice on the right channel, every CDR as SIPp counted it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.system.carriers import Carriers, numbers
from tests.system.heard import check_recordings
from tests.system.installation import Installation
from tests.system.office import Office, until

pytestmark = [pytest.mark.interop, pytest.mark.soak, pytest.mark.timeout(240)]
AGENT_HZ = (440.0, 620.0)
RECYCLING = {o: {"after_s": 1, "tries": n} for o, n in {"busy": 2, "no_answer": 2, "abandoned": 9}.items()}


@pytest.mark.promise("D1", "D2", "D3", "D7", "L3", "V3", "P2")
def test_every_lead_is_dialed_as_often_as_its_outcome_says(tmp_path: Path) -> None:
    leads = {o: numbers(o, n) for o, n in {"answer": 16, "busy": 6, "no_answer": 4, "invalid": 6}.items()}
    carriers = Carriers(tmp_path)
    installation = Installation(tmp_path / "var", "--no-demo")
    headsets = []
    try:
        installation.start()
        office = Office(
            installation, carriers, [n for group in leads.values() for n in group], campaign={"recycling": RECYCLING}
        ).build()
        headsets = [office.headset(i + 1, hz) for i, hz in enumerate(AGENT_HZ)]
        for headset in headsets:
            headset.available()
        stop = threading.Event()
        workers = [
            threading.Thread(target=h.work, args=(office.final_disposition, stop, 1.0), daemon=True) for h in headsets
        ]
        for worker in workers:
            worker.start()
        office.press("start")
        until(lambda: not set(office.lead_statuses()) & {"new", "retry", "in_progress"}, "the list is finished", 150)
        stop.set()
        for worker in workers:
            worker.join(10)
        until(lambda: _all_stored(installation), "every recording is at rest", 30)

        seen = Counter({number: len(ids) for number, ids in carriers.invited().items()})
        times = {"answer": 1, "busy": 2, "no_answer": 2, "invalid": 1}
        for outcome, group in leads.items():
            for number in group:
                calls = installation.rows("SELECT outcome FROM call WHERE phone_e164 = %s", number)
                abandoned = sum(c["outcome"] == "abandoned" for c in calls)
                assert len(calls) == seen[number] == times[outcome] + abandoned, (number, calls, seen[number])
        cdrs = installation.rows("SELECT outcome, count(*) AS n FROM call GROUP BY outcome")
        by_outcome = {r["outcome"]: r["n"] for r in cdrs}
        assert by_outcome["busy"] == 12 and by_outcome["no_answer"] == 8 and by_outcome["invalid"] == 6
        assert by_outcome["connected"] + by_outcome.get("abandoned", 0) >= 16
        assert not installation.rows("SELECT 1 FROM call WHERE ended_at IS NULL")
        check_recordings(installation, {"agent1": AGENT_HZ[0], "agent2": AGENT_HZ[1]})
        wrong = installation.logs("error", "critical")
        assert not wrong, wrong
    finally:
        for headset in headsets:
            headset.close()
        installation.stop()
        carriers.close()


def _all_stored(installation: Installation) -> bool:
    rows = installation.rows("SELECT state FROM recording")
    return bool(rows) and all(r["state"] == "stored" for r in rows)
