# SPDX-License-Identifier: GPL-3.0-or-later
"""One narrow way among wide ones."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from callagent.media.layer_choice import LayerChoice
from callagent.ports import Layer, NetworkReport

HIGH_BPS, MIN_BPS = 1_500_000, 180_000


class Ways:
    """Four peers that report once a second what their ways carry."""

    def __init__(self, **carried_bps: int) -> None:
        self.choice = LayerChoice(MIN_BPS, HIGH_BPS)
        self.carried = carried_bps
        self.now = 0.0
        for peer in carried_bps:
            self.choice.join(peer)

    def second(self) -> None:
        for peer, bps in self.carried.items():
            sent = self.choice.high_bps if self.choice.layer(peer) is Layer.HIGH else 150_000
            lost = max(0.0, 1 - bps / sent)
            # A receiver's estimate stays near what arrives.
            available = min(bps, sent * 3 // 2)
            self.choice.report(peer, NetworkReport(available, lost), self.now)
        self.now += 1.0

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.second()


def test_a_narrow_way_never_drags_the_others() -> None:
    ways = Ways(a=2_000_000, b=2_000_000, c=2_000_000, d=300_000)
    for _ in range(60):
        ways.second()
        assert ways.choice.high_bps >= 0.9 * HIGH_BPS
        assert all(ways.choice.layer(peer) is Layer.HIGH for peer in "abc")


def test_it_gets_the_low_layer_after_three_seconds_and_tries_again_ever_less_often() -> None:
    ways = Ways(a=2_000_000, b=2_000_000, d=300_000)
    layers = []
    for _ in range(100):
        ways.second()
        layers.append(ways.choice.layer("d"))
    assert layers.index(Layer.LOW) == 3
    trials = [at for at in range(1, 100) if layers[at] is Layer.HIGH and layers[at - 1] is Layer.LOW]
    waits = [later - earlier for earlier, later in pairwise(trials)]
    assert len(trials) >= 3
    assert waits == sorted(waits)
    assert layers[10:].count(Layer.HIGH) <= 4 * len(trials)


def test_a_way_that_widened_gets_the_high_layer_back() -> None:
    ways = Ways(a=2_000_000, d=300_000)
    ways.seconds(5)
    assert ways.choice.layer("d") is Layer.LOW
    ways.carried["d"] = 2_000_000
    ways.seconds(15)
    assert ways.choice.layer("d") is Layer.HIGH
    ways.seconds(60)
    assert ways.choice.layer("d") is Layer.HIGH
    assert ways.choice.high_bps >= 0.9 * HIGH_BPS


def test_alone_it_keeps_the_high_layer_and_the_encoder_follows_it() -> None:
    ways = Ways(d=300_000)
    ways.seconds(20)
    assert ways.choice.layer("d") is Layer.HIGH
    assert ways.choice.high_bps <= 300_000


def test_the_last_one_left_gets_the_high_layer() -> None:
    ways = Ways(a=2_000_000, d=300_000)
    ways.seconds(5)
    del ways.carried["a"]
    ways.choice.leave("a")
    ways.second()
    assert ways.choice.layer("d") is Layer.HIGH


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["join", "leave", "report"]),
            st.integers(0, 3_000_000),
            st.floats(0, 1),
        ),
        max_size=200,
    )
)
def test_whatever_happens_the_rate_is_within_bounds(events: list[tuple[str, str, int, float]]) -> None:
    choice = LayerChoice(MIN_BPS, HIGH_BPS)
    joined: set[str] = set()
    for second, (peer, what, bps, lost) in enumerate(events):
        if what == "join":
            choice.join(peer)
            joined.add(peer)
        elif what == "leave":
            choice.leave(peer)
            joined.discard(peer)
        else:
            choice.report(peer, NetworkReport(bps, lost), float(second))
            # Decided at the reports of those who are there: one who is not changes nothing.
            if peer in joined:
                assert any(choice.layer(each) is Layer.HIGH for each in joined)
        assert MIN_BPS <= choice.high_bps <= HIGH_BPS
