"""The bytes of SMPP: PDUs against another codec, alphabets, long texts, receipts, parts; and whatever may come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp as smpplib_codec

from smsgateway import segments
from smsgateway.carriers import smpp_header, smpp_pdu, smpp_receipts, smpp_settings, smpp_text
from smsgateway.carriers.port import Outgoing, ReceiptStatus
from smsgateway.carriers.refs import NOTATIONS, Notation, normalise, other_spellings
from smsgateway.inbound import parts
from smsgateway.texts import Kind

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()
BASE = {"host": "127.0.0.1", "port": 2775, "system_id": "test"}
GSM = sorted(set(smpp_text.GSM_BASIC_CHARSET + smpp_text.GSM_EXT_CHARSET) - {"\x1b"})
GSM_TEXT = st.text(alphabet=GSM, min_size=1, max_size=900)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=600)


def settings(**more: Any) -> smpp_settings.Settings:
    return smpp_settings.read({**BASE, **more})


def outgoing(body: str, **more: Any) -> Outgoing:
    counted = segments.count(body)
    values = {"id": 0x12345, "phone": "+8613800000001", "sender": "10690001", "expires_at": NOW + 3600}
    return Outgoing(kind=Kind.SMS, body=body, encoding=counted.encoding, segments=counted.parts, **{**values, **more})


def bodies(body: str, given: smpp_settings.Settings, **more: Any) -> list[bytes]:
    return smpp_text.Writer(given).bodies(outgoing(body, **more), NOW)


def read_by_smpplib(body: bytes) -> Any:
    """A submit_sm read by smpplib, which shares no code with ours."""
    raw = smpp_pdu.pdu(smpp_pdu.SUBMIT_SM, 0, 7, body)
    return smpplib_codec.parse_pdu(raw, sequence=7, allow_unknown_opt_params=True)


# -- PDUs


@given(st.sampled_from(["udh8", "udh16", "sar", "payload"]), st.one_of(GSM_TEXT, ANY_TEXT))
def test_what_we_write_is_what_another_codec_reads(long: str, body: str) -> None:
    for written in bodies(body, settings(long=long)):
        read = read_by_smpplib(written)
        assert (read.destination_addr, read.dest_addr_ton) == (b"8613800000001", 1)
        assert (read.source_addr, read.registered_delivery) == (b"10690001", 1)
        message = read.short_message or read.message_payload
        ours = smpp_pdu.short_message(written)
        assert message == ours.message
        assert len(read.short_message or b"") <= 254


def test_smpp34_reads_our_submission() -> None:
    (body,) = bodies("Hello €", settings())
    read = smpp34.decode(smpp_pdu.pdu(smpp_pdu.SUBMIT_SM, 0, 1, body))
    assert "8613800000001" in repr(read)


@given(st.binary(max_size=400), st.lists(st.integers(1, 60), max_size=12))
def test_whatever_bytes_come_are_cut_or_refused(raw: bytes, cuts: list[int]) -> None:
    whole, pieces = smpp_pdu.Splitter(), smpp_pdu.Splitter()
    expected, came, at = whole.feed(raw), [], 0
    for cut in [*cuts, 400]:
        came += pieces.feed(raw[at : at + cut])
        at += cut
    assert came == expected
    assert (whole.broken is None) == (pieces.broken is None)


@given(st.binary(max_size=300))
def test_a_body_that_makes_no_sense_is_malformed_and_nothing_else(raw: bytes) -> None:
    for read in (smpp_pdu.short_message, smpp_pdu.data_message):
        try:
            message = read(raw)
        except smpp_pdu.Malformed as error:
            assert error.status
            continue
        smpp_receipts.read(message, settings(), NOW)
        smpp_header.place_of(message, 300)
    smpp_pdu.message_id(raw)


@given(st.data())
def test_a_body_cut_short_or_with_a_flipped_byte_never_raises_anything_else(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(bodies("héllo " * 60, settings(long="sar")))))
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    try:
        message = smpp_pdu.short_message(cut)
    except smpp_pdu.Malformed:
        return
    smpp_receipts.read(message, settings(), NOW)
    smpp_header.place_of(message, 300)


# -- alphabets and long texts


@given(GSM_TEXT)
def test_gsm_text_comes_back_as_it_was(body: str) -> None:
    assert smpp_text.from_gsm(smpp_text.to_gsm(body)) == body


@given(ANY_TEXT)
def test_parts_are_those_that_are_charged_and_join_to_the_text(body: str) -> None:
    encoded = smpp_text.encode(body, settings())
    counted = segments.count(body)
    assert len(encoded.parts) == counted.parts
    joined = "".join(smpp_text.decode(encoded.data_coding, p) for p in encoded.parts)
    assert joined == body


@pytest.mark.promise("S7")
@pytest.mark.parametrize("long", ["udh8", "udh16", "sar"])
@pytest.mark.parametrize("body", ["plain text " * 60, "退订回T。" * 60, "€" * 200, "😀" * 120])
def test_long_texts_leave_in_parts_that_fit_and_are_put_together_again(long: str, body: str) -> None:
    given = settings(long=long)
    written = bodies(body, given)
    said: dict[str, str] = {}
    for raw in reversed(written):
        message = smpp_pdu.short_message(raw)
        octets = len(message.message)
        if message.data_coding == 8:
            assert octets <= 140
        else:
            header = message.message[0] + 1 if message.esm_class & 0x40 else 0
            assert octets - header <= (160 * 7 - header * 8) // 7
        place, rest = smpp_header.place_of(message, given.join_s)
        assert place is not None and (place.total, place.wait_s) == (len(written), given.join_s)
        said[str(place.number)] = smpp_text.decode(message.data_coding, rest, default=given.gsm7)
    assert parts.joined(said, len(written)) == body


def test_a_payload_carries_a_long_text_whole() -> None:
    (body,) = bodies("x" * 700, settings(long="payload"))
    message = smpp_pdu.short_message(body)
    assert message.message == b"x" * 700
    assert smpp_pdu.MESSAGE_PAYLOAD in message.tlvs


def test_latin1_carriers_get_latin1_and_ucs2_for_what_it_lacks() -> None:
    given = settings(gsm7="latin1", data_coding_gsm7=3)
    message = smpp_pdu.short_message(bodies("Zürich @ £5", given)[0])
    assert (message.data_coding, message.message) == (3, "Zürich @ £5".encode("latin-1"))
    message = smpp_pdu.short_message(bodies("5 €", given)[0])
    assert (message.data_coding, message.message.decode("utf-16-be")) == (8, "5 €")


@pytest.mark.promise("S7")
@pytest.mark.parametrize(
    ("sender", "ton", "npi", "address"),
    [
        ("+8613900000001", 1, 1, b"8613900000001"), ("13900000001", 2, 1, b"13900000001"), ("10690", 3, 0, b"10690"),
        ("AcmeShop", 5, 0, b"AcmeShop"), ("", 3, 0, b"95588"),
    ],
)  # fmt: skip
def test_the_source_address_says_what_kind_of_sender_it_is(sender: str, ton: int, npi: int, address: bytes) -> None:
    read = read_by_smpplib(bodies("Hi", settings(source="95588"), sender=sender)[0])
    assert (read.source_addr_ton, read.source_addr_npi, read.source_addr) == (ton, npi, address)


def test_a_sender_that_no_carrier_can_show_is_refused() -> None:
    for sender in ("TwelveLetters", "名字", "1" * 30):
        with pytest.raises(ValueError):
            bodies("Hi", settings(), sender=sender)


def test_recipients_are_written_as_the_carrier_wants_them() -> None:
    assert read_by_smpplib(bodies("Hi", settings(destination_plus=True))[0]).destination_addr == b"+8613800000001"
    assert read_by_smpplib(bodies("Hi", settings(destination_strip="+86"))[0]).destination_addr == b"13800000001"


def test_the_carrier_is_told_until_when_it_may_try() -> None:
    assert read_by_smpplib(bodies("Hi", settings())[0]).validity_period == b"260301130000000+"
    assert read_by_smpplib(bodies("Hi", settings(validity="relative"))[0]).validity_period == b"000000010000000R"
    assert read_by_smpplib(bodies("Hi", settings(validity="none"))[0]).validity_period == b""


# -- receipts

STANDARD = "id:{} sub:001 dlvrd:001 submit date:2603011100 done date:2603011130 stat:{} err:{} text:Hello"


def receipt(said: str = "", esm: int = 0x04, tlvs: dict[int, bytes] | None = None, **more: Any) -> Any:
    message = smpp_pdu.ShortMessage("86138", 1, "10690", esm, 0, said.encode("latin-1"), tlvs or {})
    assert smpp_receipts.is_receipt(message)
    return smpp_receipts.read(message, settings(**more), NOW)


@pytest.mark.promise("S7")
@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (STANDARD.format("00A1", "DELIVRD", "000"), ReceiptStatus.DELIVERED, "DELIVRD"),
        (STANDARD.format("a1", "UNDELIV", "045"), ReceiptStatus.FAILED, "UNDELIV/045"),
        (STANDARD.format("A1", "EXPIRED", "000"), ReceiptStatus.EXPIRED, "EXPIRED"),
        (STANDARD.format("A1", "REJECTD", "MK:0012"), ReceiptStatus.FAILED, "REJECTD/MK:0012"),
        (STANDARD.format("A1", "ACCEPTD", "000"), ReceiptStatus.UNDER_WAY, "ACCEPTD"),
        ("ID: 00a1  Stat : delivrd ERR=000", ReceiptStatus.DELIVERED, "DELIVRD"),
        ("stat:DELIVERED id:A1", ReceiptStatus.DELIVERED, "DELIVERED"),
        ("id:A1 stat:UNDELIVERABLE", ReceiptStatus.FAILED, "UNDELIVERABLE"),
        ("id:A1 sub:1 dlvrd:1 submit_date:1 done_date:2 status:Deleted error:9", ReceiptStatus.FAILED, "DELETED/9"),
        ("id:A1 stat:REJECTD text:id:77 stat:DELIVRD", ReceiptStatus.FAILED, "REJECTD"),
        ("id:A1 stat:NEWWORD", ReceiptStatus.FAILED, "NEWWORD"),
    ],
)
def test_receipts_are_read_as_carriers_write_them(said: str, status: ReceiptStatus, code: str) -> None:
    found = receipt(said)
    assert (found.ref, found.status, found.code) == ("a1", status, code)


def test_parameters_are_believed_before_the_text() -> None:
    tlvs = {smpp_pdu.RECEIPTED_MESSAGE_ID: b"77\x00", smpp_pdu.MESSAGE_STATE: b"\x02"}
    found = receipt("id:99 stat:UNDELIV", tlvs=tlvs)
    assert (found.ref, found.status) == ("77", ReceiptStatus.DELIVERED)
    tlvs = {**tlvs, smpp_pdu.MESSAGE_STATE: b"\x05", smpp_pdu.NETWORK_ERROR_CODE: b"\x03\x00\x1b"}
    found = receipt("", esm=0, tlvs=tlvs)
    assert (found.status, found.code) == (ReceiptStatus.FAILED, "UNDELIV/3:27")


def test_a_receipt_that_names_no_text_or_no_end_is_none() -> None:
    assert receipt("") is None
    assert receipt("stat:DELIVRD") is None
    assert receipt("id:5 sub:001") is None
    assert receipt("id:5", esm=0x20).status is ReceiptStatus.UNDER_WAY


def test_its_date_is_by_the_carriers_clock_and_never_in_the_future() -> None:
    said = STANDARD.format("1", "DELIVRD", "000")
    assert receipt(said).at == datetime(2026, 3, 1, 11, 30, tzinfo=UTC).timestamp()
    assert receipt(said, zone="Asia/Shanghai").at == datetime(2026, 3, 1, 3, 30, tzinfo=UTC).timestamp()
    for wrong in ("9903011130", "0000000000", "2603011345", "x"):
        assert receipt(said.replace("2603011130", wrong)).at == NOW


@pytest.mark.promise("S7")
def test_references_of_both_sides_meet_in_one_notation() -> None:
    both = NOTATIONS["hex_then_decimal"]
    assert normalise("00003E9A", both.answer) == normalise("0000016026", both.receipt) == "16026"
    assert normalise("0x3e9a", Notation.HEX) == "16026"
    both = NOTATIONS["decimal_then_hex"]
    assert normalise("16026", both.answer) == normalise("3E9A", both.receipt)
    assert normalise(" 000aBc\x00") == "abc"
    assert normalise("0000") == "0"
    assert normalise("") == ""
    assert normalise("not-a-number", Notation.DECIMAL) == "not-a-number"
    assert other_spellings("16026") == ("3e9a", str(0x16026))


# -- parts of texts that come in


def test_a_header_that_makes_no_sense_leaves_the_text_whole() -> None:
    for header in (b"\x05\x00\x03\x09\x00\x01", b"\x05\x00\x03\x09\x02\x03", b"\x02\x70\x00", b"\xff"):
        message = smpp_pdu.ShortMessage("86138", 1, "10690", 0x40, 0, header + b"hi", {})
        place, _ = smpp_header.place_of(message, 300)
        assert place is None


# -- settings


def test_wrong_settings_are_named_with_their_remedy() -> None:
    wrong = smpp_settings.faults(
        {
            "host": "", "port": 70000, "system_id": "x" * 16, "password": "long-password", "zone": "Mars/Base",
            "mode": "x", "source": "中文", "extra": 1,
        }
    )  # fmt: skip
    assert set(wrong) == {"host", "port", "system_id", "password", "zone", "mode", "source", "extra"}
    with pytest.raises(ValueError, match="host"):
        smpp_settings.read({})
