"""Session descriptions, causes and dialogs as text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.telephony.ports import Cause, MediaAddress, Sdp
from callcenter.telephony.sip.causes import cause_of, q850_of
from callcenter.telephony.sip.dialog import DialogData, address_of, display_name, request_text, tag_of, user_part
from callcenter.telephony.sip.sdp import SessionId, UnusableSdp, answer, offer, parse
from callcenter.telephony.sip.sparing import Sparing

LOCAL = Sdp(MediaAddress("192.0.2.1", 4000))
SESSION = SessionId(7)
sdps = st.builds(
    Sdp,
    st.builds(MediaAddress, st.ip_addresses(v=4).map(str).filter(lambda a: a != "0.0.0.0"), st.integers(1, 65535)),
    st.sampled_from(["pcmu", "pcma"]),
    st.none() | st.integers(96, 127),
    st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
)


@given(sdps)
def test_what_we_offer_reads_back_as_meant(local: Sdp) -> None:
    assert parse(offer(local, SESSION)) == local


@given(sdps, sdps)
def test_answer_takes_the_offers_codec_and_never_sends_where_the_offer_does_not_hear(local: Sdp, remote: Sdp) -> None:
    ours = parse(answer(local, remote, SESSION))
    assert (ours.codec, ours.dtmf_pt, ours.address) == (remote.codec, remote.dtmf_pt, local.address)
    if remote.direction in ("sendonly", "inactive"):
        assert ours.direction in ("recvonly", "inactive")
    if remote.direction in ("recvonly", "inactive"):
        assert ours.direction in ("sendonly", "inactive")


LINES = [
    *("v=0", "c=IN IP4 1.2.3.4", "c=IN IP6 ::1", "c=IN IP4 1.2.3.999", "a=sendonly", "=", "a=", "m=", "m=audio"),
    *("m=audio 4000 RTP/AVP 0", "m=audio 99999 RTP/AVP 8", "m=video 4 RTP/AVP 31"),
    *("a=rtpmap:x y", "a=rtpmap:101 telephone-event/8000"),
]


@settings(max_examples=300)
@given(st.text(max_size=300) | st.lists(st.sampled_from(LINES)).map("\r\n".join))
def test_any_text_parses_or_is_named_unusable(text: str) -> None:
    try:
        found = parse(text)
    except UnusableSdp:
        return
    assert found.codec in ("pcmu", "pcma") and 0 < found.address.port < 65536


def test_audio_is_found_beside_a_refused_stream_and_video() -> None:
    text = (
        "v=0\no=x 1 1 IN IP4 1.1.1.1\ns=-\nc=IN IP4 1.1.1.1\nt=0 0\na=inactive\nm=audio 0 RTP/AVP 0\n"
        "m=video 4000 RTP/AVP 31\nm=audio 4002 RTP/AVP 18 8 0 97\nc=IN IP4 2.2.2.2\na=rtpmap:97 telephone-event/8000\n"
        "a=sendrecv\nm=audio 5000 RTP/AVP 0\n"
    )
    assert parse(text) == Sdp(MediaAddress("2.2.2.2", 4002), "pcma", 97)


def test_secure_and_missing_audio_is_unusable() -> None:
    for line in ("m=audio 4000 RTP/SAVP 0", "m=audio 4000 RTP/AVP 18", "m=video 4000 RTP/AVP 31"):
        with pytest.raises(UnusableSdp):
            parse(f"v=0\nc=IN IP4 1.1.1.1\n{line}\n")


def test_every_failure_has_a_cause() -> None:
    ours = (Cause.NORMAL, Cause.ENGINE_LOST, Cause.MEDIA_LOST, Cause.CANCELLED)
    assert not [status for status in range(300, 700) if cause_of(status, rang=False) in ours]
    assert {cause_of(status, rang=True) for status in range(500, 600)} == {Cause.CONGESTION}


def test_reason_header_counts_only_where_the_status_is_general() -> None:
    assert q850_of('SIP;cause=480, Q.850 ;cause=17;text="x"') == 17
    assert q850_of("SIP;cause=200") is None
    assert cause_of(503, rang=False, q850=1) is Cause.INVALID
    assert cause_of(404, rang=False, q850=17) is Cause.INVALID
    assert cause_of(480, rang=True, q850=21) is Cause.DECLINED
    assert cause_of(500, rang=True, q850=127) is Cause.CONGESTION


def test_dialog_survives_its_way_through_the_store() -> None:
    data = DialogData(
        call_id="a@b", local='"N" <sip:1@h>;tag=x', remote="<sip:2@h>;tag=y", remote_target="sip:2@h:5062",
        destination=("192.0.2.9", 5062), via="SIP/2.0/UDP 192.0.2.1:5060;rport", branch="z9hG4bK1", contact="<sip:1@h>",
        cseq=5, routes=("<sip:p;lr>", "<sip:q;lr>"), remote_cseq=9, session=SessionId(4, 2), local_sdp=LOCAL, tries=2,
    )  # fmt: skip
    port = data.to_port("leg", 3, True)
    assert DialogData.from_port(port) == data
    assert all(isinstance(value, str) for value in port.headers.values())
    assert (data.local_tag, data.remote_tag) == ("x", "y")
    assert data.for_successor().cseq > data.cseq + 100


def test_names_and_numbers_cannot_break_out_of_their_header() -> None:
    evil = 'x"\r\nVia: bad <sip:a>\\'
    assert "\r" not in display_name(evil) and display_name(evil).count('"') == 2
    assert user_part("+86 1\r\n@evil>") == "+86%201%40evil%3E"
    data = DialogData(
        "c", f"{display_name(evil)}<sip:{user_part(evil)}@h>;tag=t", "<sip:b@h>", "sip:b@h", ("h", 1), "v", "b", "c", 1
    )
    assert request_text("BYE", data, "z", agent="a").count("\r\nVia:") == 1


def test_addresses_and_tags_are_read_from_uris() -> None:
    assert address_of("sip:u;x=1@host.example:5080;transport=udp") == ("host.example", 5080)
    assert address_of("sip:10.0.0.1;lr") == ("10.0.0.1", 5060)
    assert tag_of('"a;tag=no" <sip:x;tag=no@h>;p=1;tag=yes') == "yes"
    assert tag_of("sip:x@h;tag=z") == "z"
    with pytest.raises(ValueError, match="no host"):
        address_of("tel:+861")


def test_strict_router_gets_its_own_uri() -> None:
    data = DialogData(
        "c", "l", "r", "sip:t@h", ("h", 1), "v", "b", "c", 1, routes=("<sip:1.1.1.1>", "<sip:2.2.2.2;lr>")
    )
    found = data.towards("sip:t@3.3.3.3", None, None)
    assert (found.remote_target, found.destination) == ("sip:1.1.1.1", ("1.1.1.1", 5060))
    assert found.routes == ("<sip:2.2.2.2;lr>", "<sip:t@3.3.3.3>")


def test_log_is_spared_one_line_per_far_end() -> None:
    sparing = Sparing(10)
    assert [sparing.allows("a", now) for now in (0, 1, 9.9, 10)] == [True, False, False, True]
    assert sparing.allows("b", 1) and sparing.kept_back == 2
    assert all(sparing.allows(f"x{n}", 11) for n in range(2000)) and sparing.allows("a", 12)
