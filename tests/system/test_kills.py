"""`kill -9` of every process in the middle of a campaign: nothing lost, nothing doubled, nobody stuck."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from callcenter.recordings.audio import read
from tests.system.carriers import Carriers, numbers
from tests.system.installation import Installation
from tests.system.office import Office, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(420)]
VICTIMS = ("media-0", "edge", "backoffice", "web", "valkey", "worker", "postgres", "engine")
BETWEEN_S = 4.0
RECYCLING = {
    "busy": {"after_s": 1, "tries": 1},
    "engine_lost": {"after_s": 2, "tries": 5},
    "abandoned": {"after_s": 2, "tries": 5},
    "cancelled": {"after_s": 2, "tries": 5},
}


@pytest.mark.promise("P4", "A1", "A2", "R3")
def test_campaign_survives_the_death_of_each_process(tmp_path: Path) -> None:
    survive(tmp_path, VICTIMS, numbers("answer", 44) + numbers("busy", 10))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_campaign_survives_deaths_in_random_order(tmp_path: Path) -> None:
    """As many kills as fit into SOAK_MINUTES (20), in a random order that SOAK_SEED repeats."""
    minutes, seed = int(os.environ.get("SOAK_MINUTES", "20")), int(os.environ.get("SOAK_SEED", "1"))
    print(f"seed {seed}, {minutes} minutes")
    kills = int(minutes * 60 / (5 * BETWEEN_S))
    victims = random.Random(seed).choices(VICTIMS, k=kills)
    survive(tmp_path, victims, numbers("answer", 30 * minutes) + numbers("busy", 5 * minutes), finish_s=60.0 * minutes)


def survive(tmp_path: Path, victims: Sequence[str], leads: list[str], finish_s: float = 150.0) -> None:
    """Run a campaign, kill `victims` one after the other, and prove at the end that nothing was lost or doubled."""
    carriers = Carriers(tmp_path, ring_ms=600)
    installation = Installation(tmp_path / "var", "--no-demo")
    headsets = []
    stop = threading.Event()
    try:
        installation.start()
        office = Office(installation, carriers, leads, campaign={"recycling": RECYCLING, "mode": "progressive"}).build()
        headsets = [office.headset(1, 440.0), office.headset(2, 620.0)]
        for headset in headsets:
            headset.available()
        workers = [
            threading.Thread(target=h.work, args=(office.final_disposition, stop, 2.5), daemon=True) for h in headsets
        ]
        for worker in workers:
            worker.start()
        office.press("start")
        for victim in victims:
            time.sleep(BETWEEN_S)
            talking = _talks(installation)
            installation.kill(victim)
            until(lambda before=talking: _talks(installation) > before, f"calls go on after {victim} was killed", 40)
        try:
            until(
                lambda: not set(office.lead_statuses()) & {"new", "retry", "in_progress"},
                "the list is finished",
                finish_s,
            )
        except AssertionError as error:
            agents = [h.document for h in headsets]
            raise AssertionError(
                f"{error}: {office.lead_statuses()}, {_talks(installation)} talks, {agents}"
            ) from error
        until(lambda: not installation.redis().hlen(f"calls:{office.tenant}"), "no call is left", 20)
        until(lambda: _at_rest(installation), "every recording is at rest", 90)
        _check_calls(installation, carriers, leads)
        _check_recordings(installation)
        for headset in headsets:
            headset.until(lambda d: d["state"] == "available", "the agent is available at the end")
    finally:
        stop.set()
        for headset in headsets:
            headset.close()
        installation.stop()
        carriers.close()


def _talks(installation: Installation) -> int:
    return int(installation.rows("SELECT count(*) AS n FROM call WHERE outcome = 'connected'")[0]["n"])


def _at_rest(installation: Installation) -> bool:
    return not installation.rows("SELECT 1 FROM recording WHERE state <> 'stored'")


def _check_calls(installation: Installation, carriers: Carriers, leads: list[str]) -> None:
    assert not installation.rows("SELECT id FROM call WHERE ended_at IS NULL")
    invited = carriers.invited()
    calls = installation.rows("SELECT phone_e164, started_at, ended_at, outcome FROM call ORDER BY started_at")
    by_number = Counter(c["phone_e164"] for c in calls)
    for number in leads:
        # A call whose engine died before its INVITE went out has a CDR and nothing at the carrier.
        mine = [c for c in calls if c["phone_e164"] == number]
        lost = sum(c["outcome"] == "engine_lost" for c in mine)
        seen = len(invited.get(number, []))
        assert by_number[number] - lost <= seen <= by_number[number], (number, mine, seen)
        for earlier, later in itertools.pairwise(mine):
            assert earlier["ended_at"] <= later["started_at"], f"{number} was dialed twice at once"
        good = [c for c in mine if c["outcome"] in ("connected", "busy")]
        assert len(good) == 1, (number, mine)


def _check_recordings(installation: Installation) -> None:
    rows = installation.rows(
        "SELECT c.id, c.talk_s, r.path, r.seconds FROM call c LEFT JOIN recording r ON r.call_id = c.id "
        "WHERE c.outcome = 'connected'"
    )
    for row in rows:
        assert row["path"] is not None, f"call {row['id']} has no recording"
        seconds = read(installation.var / "recordings" / row["path"]).seconds
        assert seconds > row["talk_s"] - 1.2, (row, seconds)
