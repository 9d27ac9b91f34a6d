"""A real browser through the edge to a plain RTP peer, and back."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser

from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.ports import EdgeEvent, MediaAddress
from tests.telephony.edge.conftest import EdgeProcess, Run, page_of
from tests.telephony.edge.peers import PhonePage, both_ways, media_peer


def test_agent_and_media_process_hear_each_other(
    run: Run[Any], browser: Browser, softphone_modules: dict[str, str], edge_process: EdgeProcess
) -> None:
    async def scenario() -> None:
        events: list[EdgeEvent] = []
        edge = AiortcEdge(edge_process.socket)
        await edge.start(events.append)
        async with media_peer() as peer, page_of(browser) as tab:

            async def answer(offer: str) -> str:
                sdp, address = await edge.open("agent-1", offer, MediaAddress("127.0.0.1", peer.port))
                peer.remote = (address.ip, address.port)
                return sdp

            page = PhonePage(tab, softphone_modules, answer)
            await page.open()
            await page.start()
            print("both ways after", await both_ways(page, peer))
            print(events, await page.events("state"))
        await edge.stop()

    run(scenario())
