# SPDX-License-Identifier: GPL-3.0-or-later
"""When packets leave."""

from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.congestion.pacer import MAX_PACKETS, Paced, Pacer
from callagent.rtc.congestion.probing import MIN_PACKETS, Probe

RATE_BPS = 800_000
BURST = 4000


def leave(pacer: Pacer, now: float) -> list[Paced]:
    packets = []
    while (packet := pacer.take(now)) is not None:
        packets.append(packet)
    return packets


def leave_all(pacer: Pacer, now: float) -> list[tuple[float, Paced]]:
    """As a timer that is never late does it."""
    packets = []
    while (due := pacer.next_at(now)) is not None:
        now = due
        packets += [(now, packet) for packet in leave(pacer, now)]
    return packets


def size(paced: Paced) -> int:
    return len(paced.packet) if paced.packet is not None else paced.padding


def test_an_ordinary_picture_is_not_delayed() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    for _ in range(4):
        pacer.put(bytes(1000))
    assert len(leave(pacer, 1.0)) == 4
    assert pacer.next_at(1.0) is None


def test_a_key_frame_is_spread() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    for _ in range(40):
        pacer.put(bytes(1000))
    packets = leave_all(pacer, 1.0)
    assert len(packets) == 40
    sent = 0
    for at, packet in packets:
        # Never more than the pace, the burst and one packet.
        assert sent <= (at - 1.0) * RATE_BPS / 8 + BURST + 1e-6
        sent += size(packet)
    assert packets[-1][0] - 1.0 <= 40_000 * 8 / RATE_BPS


def test_retransmissions_overtake_pictures() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    for letter in b"abcdefg":
        pacer.put(bytes([letter]) * 2000)
    leave(pacer, 1.0)
    pacer.put(b"R" * 500, urgent=True)
    _, first = leave_all(pacer, 1.0)[0]
    assert first.packet == b"R" * 500


def test_sound_is_counted() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    pacer.passed(BURST + 1, 1.0)
    pacer.put(bytes(1000))
    assert pacer.take(1.0) is None
    assert pacer.next_at(1.0) is not None


def test_a_long_queue_is_told_and_bounded() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    pacer.put(bytes(9_999))
    assert [pacer.is_long] == [False]
    pacer.put(bytes(2))
    assert [pacer.is_long] == [True]
    leave_all(pacer, 1.0)
    assert [pacer.is_long] == [False]
    for _ in range(MAX_PACKETS + 5):
        pacer.put(bytes(100))
    assert pacer.dropped == 5
    assert pacer.queue_s == MAX_PACKETS * 100 * 8 / RATE_BPS
    assert len(leave_all(pacer, 1.0)) == MAX_PACKETS


def test_a_probe_takes_waiting_media_and_fills_up() -> None:
    pacer = Pacer(RATE_BPS, BURST)
    for _ in range(2):
        pacer.put(bytes(1000))
    probe = Probe(7, 3_000_000)
    pacer.start_probe(probe)
    packets = leave_all(pacer, 1.0)
    assert {packet.probe for _, packet in packets} == {7}
    assert [packet.packet is None for _, packet in packets[:3]] == [False, False, True]
    assert len(packets) >= MIN_PACKETS
    sent = sum(size(packet) for _, packet in packets)
    assert 0.8 * probe.size <= sent <= probe.size + 1000
    took_s = packets[-1][0] - packets[0][0]
    assert 0.7 * probe.rate_bps <= (sent - size(packets[-1][1])) * 8 / took_s <= 1.3 * probe.rate_bps
    pacer.put(bytes(10))
    assert leave_all(pacer, 2.0)[0][1].probe is None


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 1500)),
            st.tuples(st.just("urgent"), st.integers(1, 1500)),
            st.tuples(st.just("wait"), st.integers(0, 100)),
            st.tuples(st.just("probe"), st.integers(100_000, 5_000_000)),
        ),
        max_size=60,
    )
)
def test_everything_leaves_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    pacer = Pacer(RATE_BPS, BURST)
    now = 1.0
    given_in: list[bytes] = []
    left: list[Paced] = []
    for count, (step, number) in enumerate(steps):
        if step == "wait":
            now += number / 1000
            left += leave(pacer, now)
        elif step == "probe":
            pacer.start_probe(Probe(count, number))
        else:
            packet = count.to_bytes(2, "big") + bytes(number)
            given_in.append(packet)
            pacer.put(packet, urgent=step == "urgent")
    left += [packet for _, packet in leave_all(pacer, now)]
    media = [packet.packet for packet in left if packet.packet is not None]
    assert sorted(media) == sorted(given_in)
    assert pacer.queue_s == 0
