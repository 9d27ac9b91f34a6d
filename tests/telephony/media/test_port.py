"""A port on real loopback sockets but without a loop: the numbers that go out, whatever comes in."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator

import pytest

from callcenter.telephony.media import g711, rtp
from callcenter.telephony.media.outgoing import Feed, Outgoing
from callcenter.telephony.media.plain import receive_each
from callcenter.telephony.media.port import MediaLeg
from callcenter.telephony.media.recording import Recording


def udp(host: str = "127.0.0.1") -> socket.socket:
    """Bound to a port by its number, as a worker's are: only such a port survives a disconnect."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        try:
            one.bind((host, random.randrange(10000, 32000)))
            break
        except OSError:
            continue
    one.setblocking(False)
    return one


def heard(far: socket.socket) -> bool:
    """Whether an RTP packet waits at `far`; it is taken."""
    try:
        return rtp.parse(far.recv(2048)) is not None
    except BlockingIOError:
        return False


class Pair:
    """Ports a and b with their far ends; a is relayed to b. Keeps what a worker would be told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.digits: list[str] = []
        self.far_a, self.far_b = udp(), udp()
        self.a = MediaLeg(self, "a", (udp(), udp()), "pcmu", 101, 20, 0)
        self.b = MediaLeg(self, "b", (udp(), udp()), "pcmu", 101, 20, 0)
        self.a.set_remote(self.far_a.getsockname(), 0)
        self.b.set_remote(self.far_b.getsockname(), 0)
        self.a.feed = Feed(self.a, self.b)
        self.now = 1000

    def relay_took_over(self, port: Outgoing) -> None:
        pass

    def receive_by(self, port: MediaLeg, connected: bool) -> None:
        assert port.connected is connected

    def rtp_started(self, port: MediaLeg) -> None:
        self.started.append(port.port_id)

    def key_pressed(self, port: MediaLeg, press: object) -> None:
        self.digits.append(port.port_id)

    def rtcp_received(self, port: MediaLeg, data: bytes) -> None:
        pass

    def send(self, sequence: int, timestamp: int, **other: object) -> list[rtp.RtpPacket]:
        """Send to a, let it take one packet 20 ms later; what b's far end got."""
        fields: dict[str, object] = {
            "payload_type": 0, "marker": False, "ssrc": 77, "payload": bytes([sequence & 0xFF]) * 160, **other,
        }  # fmt: skip
        packet = rtp.RtpPacket(sequence=sequence & 0xFFFF, timestamp=timestamp & 0xFFFFFFFF, **fields)
        self.far_a.sendto(rtp.build(packet), self.a.local)
        self.now += 160
        self.take()
        return self.got()

    def take(self) -> None:
        if self.a.connected:
            receive_each([self.a], self.now)
        else:
            self.a.receive_from(self.now)

    def got(self) -> list[rtp.RtpPacket]:
        packets: list[rtp.RtpPacket] = []
        while True:
            try:
                packet = rtp.parse(self.far_b.recv(2000))
            except BlockingIOError:
                return packets
            assert packet is not None
            packets.append(packet)

    def close(self) -> None:
        for leg in (self.a, self.b):
            leg.close()
        self.far_a.close()
        self.far_b.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def check_stream(packets: list[rtp.RtpPacket], step: int = 160) -> None:
    assert len({p.ssrc for p in packets}) == 1
    for before, after in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == step


@pytest.mark.parametrize("incoming", [(65500, 1000), (5, 2**32 - 4000), (65535, 2**32 - 160)])
@pytest.mark.parametrize("outgoing", [(65510, 7), (9, 2**32 - 5000), (65535, 2**32 - 161)])
def test_numbers_run_on_over_every_wrap(pair: Pair, incoming: tuple[int, int], outgoing: tuple[int, int]) -> None:
    pair.b.sequence, pair.b.timestamp = outgoing
    out = [p for n in range(80) for p in pair.send(incoming[0] + n, incoming[1] + n * 160)]
    assert len(out) == 80 and out[0].marker and not any(p.marker for p in out[1:])
    assert [p.payload[0] for p in out] == [(incoming[0] + n) & 0xFF for n in range(80)]
    check_stream(out)
    pair.b.settle()
    assert pair.b.sent == 80 and pair.b.octets == 80 * 160
    assert (pair.b.sequence, pair.b.timestamp) == (out[-1].sequence, out[-1].timestamp)
    assert (pair.a.rx.received, pair.a.rx.lost, round(pair.a.rx.jitter)) == (80, 0, 0)


def test_losses_stay_losses_and_overtaken_packets_keep_their_numbers(pair: Pair) -> None:
    order = [0, 1, 2, 5, 6, 4, 7, 8, 8, 9]
    out = [p for n in order for p in pair.send(n, n * 160)]
    base = out[0].sequence
    assert [(p.sequence - base) & 0xFFFF for p in out] == [0, 1, 2, 5, 6, 4, 7, 8, 9]
    assert [(p.timestamp - out[0].timestamp) & 0xFFFFFFFF for p in out] == [
        160 * n for n in (0, 1, 2, 5, 6, 4, 7, 8, 9)
    ]
    assert (pair.a.rx.lost, pair.a.rx.duplicates) == (1, 1)


def test_another_source_or_stream_continues_the_numbers_with_a_marker(pair: Pair) -> None:
    out = [p for n in range(5) for p in pair.send(n, n * 160)]
    out += [p for n in range(5) for p in pair.send(9000 + n, 70 + n * 160, ssrc=5)]
    pair.now += 160
    pair.b.send_frame(g711.SILENT_FRAME, "clock", pair.now)
    out += pair.got()
    out += [p for n in range(5, 9) for p in pair.send(9000 + n, 70 + n * 160, ssrc=5)]
    check_stream(out)
    assert [i for i, p in enumerate(out) if p.marker] == [0, 5, 10, 11]


@pytest.mark.parametrize("samples", [80, 240, 320, 480])
def test_packets_of_other_lengths_are_relayed_and_recorded(pair: Pair, samples: int) -> None:
    recording = Recording("r", "p", "a", "b", pair.now)
    pair.a.tap = recording.left
    out = []
    for n in range(10):
        pair.now += samples - 160
        out += pair.send(n, n * samples, payload=bytes([n]) * samples)
    check_stream(out, samples)
    left = recording.finish(pair.now + samples)[0::2]
    assert left.endswith(b"".join(bytes([n]) * samples for n in range(10)))


def test_recorded_samples_lie_where_they_came_whether_fast_or_slow(pair: Pair) -> None:
    recording = Recording("r", "p", "a", "b", pair.now)
    pair.a.tap = recording.left
    rng = random.Random(4)
    lost = set(rng.sample(range(1, 59), 12))
    for n in range(60):
        if n in lost:
            pair.now += 160
        else:
            pair.send(n, n * 160, marker=n % 9 == 4)
    left = recording.finish(pair.now + 160)[0::2]
    assert left[160:] == b"".join((b"\xff" if n in lost else bytes([n])) * 160 for n in range(60))


def test_all_listeners_of_a_source_get_its_packets_in_their_own_codec(pair: Pair) -> None:
    far_c = udp()
    c = MediaLeg(pair, "c", (udp(), udp()), "pcma", None, 20, 0)
    c.set_remote(far_c.getsockname(), 0)
    assert pair.a.feed is not None
    pair.a.feed.next = Feed(pair.a, c)
    mulaw = [p for n in range(6) for p in pair.send(n, n * 160)]
    check_stream(mulaw)
    alaw = []
    for _ in range(6):
        packet = rtp.parse(far_c.recv(2000))
        assert packet is not None and packet.payload_type == rtp.PT_PCMA
        alaw.append(packet)
    check_stream(alaw)
    assert [p.payload for p in alaw] == [p.payload.translate(g711.ULAW_TO_ALAW) for p in mulaw]
    pair.b.set_codec("pcma")
    assert [p.payload_type for n in range(6, 9) for p in pair.send(n, n * 160)] == [rtp.PT_PCMA] * 3
    c.close()
    far_c.close()


def test_a_stranger_is_kept_out_before_and_after_the_socket_is_connected(pair: Pair) -> None:
    stranger = udp()
    false = rtp.build(rtp.RtpPacket(0, False, 500, 0, 77, b"\x01" * 160))
    stranger.sendto(false, pair.a.local)
    pair.far_a.sendto(rtp.build(rtp.RtpPacket(0, False, 1, 160, 77, b"\x02" * 160)), pair.a.local)
    pair.take()  # the stranger was first, from the same host: locked to him until he has been silent
    assert not pair.a.connected
    pair.now += 5000
    pair.take()
    assert pair.a.connected, "followed to the remote itself"
    stranger.sendto(false, pair.a.local)
    assert len(pair.send(2, 320)) >= 1
    pair.take()
    assert [p.payload[0] for p in pair.got()] == []
    pair.a.look_for_source(pair.now + 3999)
    assert pair.a.connected
    pair.a.look_for_source(pair.now + 4000)
    assert not pair.a.connected
    assert [p.payload[0] for p in pair.send(3, 480)] == [3]
    assert pair.a.connected
    stranger.close()


def test_a_far_end_behind_nat_is_heard_and_answered_where_it_sends_from(pair: Pair) -> None:
    nat, intruder = udp("127.0.0.2"), udp("127.0.0.3")

    def say(who: socket.socket, sequence: int, byte: int, after: int = 160) -> list[int]:
        pair.now += after
        who.sendto(rtp.build(rtp.RtpPacket(0, False, sequence, sequence * 160, 77, bytes([byte]) * 160)), pair.a.local)
        pair.take()
        return [p.payload[0] for p in pair.got()]

    def answered(who: socket.socket) -> bool:
        pair.a.send_frame(g711.SILENT_FRAME, "clock", pair.now)
        got = [one for one in (pair.far_a, nat, intruder) if heard(one)]
        return got == [who]

    told = pair.far_a.getsockname()
    assert say(nat, 1, 1) == [] and answered(pair.far_a)
    assert say(nat, 2, 2, 4000) == [2] and answered(nat)
    pair.a.set_remote(told, pair.now)  # an update with what was told before
    assert say(intruder, 3, 99) == [] and say(intruder, 4, 99, 20000) == []
    assert say(nat, 5, 5) == [5] and not pair.a.connected, "the told host is still listened for"
    assert say(nat, 6, 6, 40000) == [6] and pair.a.connected
    assert say(nat, 7, 7) == [7] and answered(nat)
    intruder.sendto(rtp.build(rtp.RtpPacket(0, False, 8, 8 * 160, 77, b"\x63" * 160)), pair.a.local)
    pair.take()
    assert pair.got() == []
    pair.a.look_for_source(pair.now + 4000)
    assert not pair.a.connected
    assert say(intruder, 8, 99, 5000) == [] and say(pair.far_a, 9, 9) == [9]
    assert answered(pair.far_a)
    assert say(intruder, 10, 99, 50000) == [] and say(nat, 11, 11, 50000) == []
    nat.close()
    intruder.close()


def test_malformed_packets_and_other_payload_types_are_counted_and_dropped(pair: Pair) -> None:
    pair.send(0, 0)
    for data in (b"", b"\x80", b"\x00" * 200, b"\x80\x00" + bytes(10), b"\xbf\x00" + b"\xff" * 170):
        pair.far_a.sendto(data, pair.a.local)
        pair.take()
    assert pair.a.malformed == 5 and not pair.got()
    assert not pair.send(1, 160, payload_type=18) and pair.a.refused == 1
    assert len(pair.send(1, 160)) == 1 and pair.started == ["a"]


def test_key_presses_keep_their_timestamp_and_do_not_count_as_jitter(pair: Pair) -> None:
    for n in range(4):
        pair.send(n, n * 160)
    events = []
    for n in range(4, 12):
        payload = bytes([5, 0x80 if n > 8 else 0, 0, 0])
        events += pair.send(n, 640, payload_type=101, payload=payload)
    after = [p for n in range(12, 15) for p in pair.send(n, n * 160)]
    assert {p.timestamp for p in events} == {(after[0].timestamp - 8 * 160) & 0xFFFFFFFF}
    assert [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(events + after)] == [1] * 10
    assert pair.digits == ["a"] and pair.a.rx.jitter < 1
    pair.b.dtmf_pt = None
    assert not pair.send(15, 15 * 160, payload_type=101, payload=bytes(4))
    (last,) = pair.send(16, 17 * 160)
    assert (last.sequence - after[-1].sequence) & 0xFFFF == 1, "its number is closed up"
