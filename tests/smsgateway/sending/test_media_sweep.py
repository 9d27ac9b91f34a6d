"""Pictures that nobody uses are removed; none that is used, however its use and the sweep meet."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest
from PIL import Image

from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput
from smsgateway.models import TextTemplate
from smsgateway.sending import media, templates
from smsgateway.sending.actions import ask_in
from smsgateway.sending.new import NewSend
from tests.smsgateway.sending.conftest import Gateway

LATER = time.time() + 1e6  # everything on the disk is older


def picture(gateway: Gateway) -> str:
    """The id of a new upload."""
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "navy").save(out, "PNG")
    upload = media.upload_path(gateway.tenant, media_id := media.new_id())
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(out.getvalue())
    return media.register(gateway.agent, media_id, "blue.png").id


def mms(*pictures: str) -> NewSend:
    return NewSend(
        body="Look", audience={"numbers": ["13800000001"]}, kind="mms", purpose="service", media=list(pictures)
    )


def kept(gateway: Gateway) -> set[str]:
    return {p.name.split(".")[0] for p in (gateway.var / "text-media").glob("*/*")}


@pytest.mark.promise("S1")
def test_what_no_send_and_no_template_uses_goes_after_a_week(gateway: Gateway) -> None:
    sent, templated, abandoned, young = (picture(gateway) for _ in range(4))
    gateway.ask("Look", kind="mms", media=[sent])
    with tenant_session(gateway.tenant) as s:
        templates.create(s, gateway.boss, {"name": "Blue", "kind": "mms", "body": "", "media": [templated]})
    broken = media.upload_path(gateway.tenant, "0broken0upload0")
    broken.write_bytes(b"half")
    week_ago = time.time() - media.KEEP_DAYS * 86400 - 60
    for path in (gateway.var / "text-media").glob("*/*"):
        if not path.name.startswith(young):
            os.utime(path, (week_ago, week_ago))
    assert media.sweep() == 3
    assert kept(gateway) == {sent, templated, young}
    assert media.sweep() == 0
    with tenant_session(gateway.tenant) as s:
        template = s.query(TextTemplate).one()
        templates.delete(s, gateway.boss, template.id)
    assert media.sweep(LATER) == 4  # of the template, and the young one
    assert abandoned not in kept(gateway) and kept(gateway) == {sent}


def test_a_sweep_waits_for_a_send_that_is_just_made_and_leaves_its_picture(gateway: Gateway) -> None:
    used, unused = picture(gateway), picture(gateway)
    swept: list[int] = []
    sweep = threading.Thread(target=lambda: swept.append(media.sweep(LATER)))
    with tenant_session(gateway.tenant) as s:
        ask_in(s, gateway.agent, mms(used))
        sweep.start()
        sweep.join(0.3)
        assert sweep.is_alive(), "the send is not there yet for others to see"
    sweep.join(10)
    assert swept == [2] and kept(gateway) == {used} and unused not in kept(gateway)


def test_a_send_after_the_sweep_says_that_the_picture_is_gone(gateway: Gateway) -> None:
    gone = picture(gateway)
    media.sweep(LATER)
    with pytest.raises(InvalidInput) as told:
        gateway.ask("Look", kind="mms", media=[gone])
    assert (told.value.code, list(told.value.fields)) == ("media_gone", ["media"])


def test_a_text_that_is_being_written_keeps_its_picture(gateway: Gateway) -> None:
    written = picture(gateway)
    old = time.time() - media.KEEP_DAYS * 86400 - 60
    for path in (gateway.var / "text-media").glob("*/*"):
        os.utime(path, (old, old))
    with tenant_session(gateway.tenant) as s:
        media.resolve(s, gateway.tenant, [written])
    assert media.sweep() == 0
