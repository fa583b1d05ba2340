# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device is used when some fail: rules one by one, then any order of events."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from callagent.agent.candidates import LONGEST_PAUSE_WITH_OTHERS_S, PROVEN_S, Candidates, Choice
from callagent.devices.errors import CAMERA_OCCUPY, CAMERA_START_FAIL, NO_CAMERA
from callagent.devices.inventory import DeviceInfo, DeviceKind

BROKEN, TAKEN, GONE = CAMERA_START_FAIL, CAMERA_OCCUPY, NO_CAMERA


def camera(name: str, instance: int = 0) -> DeviceInfo:
    return DeviceInfo(DeviceKind.CAMERA, name, name, f"/dev/{name}", instance=str(instance))


A, B, C = camera("a"), camera("b"), camera("c")


def test_the_best_present_one() -> None:
    candidates = Candidates()
    assert candidates.choose(0) is None
    candidates.present([A, B])
    assert candidates.choose(0) == Choice(A)
    candidates.present([B])
    assert candidates.choose(0) == Choice(B)


def test_a_broken_one_gets_a_smaller_mode_first_then_rests_then_is_tried_again() -> None:
    candidates = Candidates(economies=1)
    candidates.present([A, B])
    candidates.failed(A, BROKEN, "stalled", 10)
    assert candidates.choose(10) == Choice(A, economy=1)
    candidates.failed(A, BROKEN, "stalled", 12)
    assert candidates.choose(12) == Choice(B)
    assert candidates.trouble_of("a") == "stalled"
    woke = candidates.next_look(12)
    assert woke == 13
    assert candidates.choose(woke) == Choice(A, economy=1)


def test_an_occupied_one_rests_at_once_and_longer_each_time() -> None:
    candidates = Candidates(economies=1)
    candidates.present([A, B])
    now, rests = 0.0, []
    for _ in range(9):
        candidates.failed(A, TAKEN, "in use", now)
        assert candidates.choose(now) == Choice(B)
        woke = candidates.next_look(now)
        assert woke is not None
        rests.append(woke - now)
        now = woke
    assert rests == [1, 2, 4, 8, 16, 32, *[LONGEST_PAUSE_WITH_OTHERS_S] * 3]


def test_the_only_one_is_tried_every_15_s_for_ever() -> None:
    candidates = Candidates()
    candidates.present([A])
    now = 0.0
    for _ in range(30):
        candidates.failed(A, BROKEN, "broken", now)
        assert candidates.choose(now) is None
        woke = candidates.next_look(now)
        assert woke is not None
        assert woke - now <= 15
        now = woke
        assert candidates.choose(now) == Choice(A)


def test_plugged_in_anew_it_has_a_clean_record() -> None:
    candidates = Candidates(economies=1)
    candidates.present([A, B])
    for _ in range(5):
        candidates.failed(A, BROKEN, "broken", 0)
    assert candidates.choose(0) == Choice(B)
    candidates.present([camera("a", 1), B])
    assert candidates.choose(0) == Choice(camera("a", 1))
    assert candidates.trouble_of("a") == ""


def test_one_that_proved_itself_is_forgiven() -> None:
    candidates = Candidates(economies=1)
    candidates.present([A, B])
    candidates.failed(A, BROKEN, "broken", 0)
    candidates.failed(A, BROKEN, "broken", 0)
    candidates.lived(A, 1)
    candidates.lived(A, 50)
    candidates.failed(A, BROKEN, "broken", 1 + PROVEN_S)
    assert candidates.choose(1 + PROVEN_S) == Choice(A, economy=1), "as if it were the first time"


def test_without_follow_a_working_one_is_kept() -> None:
    candidates = Candidates(follow=False)
    candidates.present([B])
    assert candidates.choose(0) == Choice(B)
    candidates.lived(B, 0)
    candidates.present([A, B])
    assert candidates.choose(1) == Choice(B)
    candidates.failed(B, BROKEN, "broken", 2)
    assert candidates.choose(2) == Choice(A)
    candidates.present([A])
    candidates.present([A, B])
    candidates.lived(A, 3)
    assert candidates.choose(4) == Choice(A)


def test_one_chosen_by_hand_comes_first_while_it_is_there() -> None:
    candidates = Candidates(follow=False)
    candidates.present([A, B])
    candidates.lived(A, 0)
    candidates.prefer("b")
    assert candidates.choose(1) == Choice(B)
    candidates.present([A])
    assert candidates.choose(2) == Choice(A)
    candidates.present([A, B])
    assert candidates.choose(3) == Choice(B)
    candidates.prefer(None)
    candidates.lived(A, 4)
    assert candidates.choose(4) == Choice(A)


def test_a_new_call_tries_the_best_mode_again() -> None:
    candidates = Candidates(economies=1)
    candidates.present([A])
    candidates.failed(A, BROKEN, "stalled", 0)
    candidates.lived(A, 1)
    assert candidates.choose(2) == Choice(A, economy=1)
    candidates.fresh()
    assert candidates.choose(2) == Choice(A)


@dataclass
class World:
    """What is true of a camera; the candidates can only find it out."""

    works: bool = True
    code: int = BROKEN
    instance: int = 0
    attempts: list[float] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """Cameras come, go, break and heal; after every step the user of Candidates acts on its choice."""

    def __init__(self) -> None:
        super().__init__()
        self.candidates = Candidates(economies=1)
        self.worlds = {name: World() for name in "abc"}
        self.plugged: list[str] = []
        self.now = 0.0
        self.current: Choice | None = None

    def _info(self, name: str) -> DeviceInfo:
        return camera(name, self.worlds[name].instance)

    def _settle(self) -> None:
        """Act on choices until nothing changes at this moment."""
        for _ in range(20):
            choice = self.candidates.choose(self.now)
            if choice is None or (self.current is not None and choice.device == self.current.device):
                return
            world = self.worlds[choice.device.id]
            world.attempts.append(self.now)
            if world.works:
                self.current = choice
                self.candidates.lived(choice.device, self.now)
            else:
                self.candidates.failed(choice.device, world.code, "does not work", self.now)
        raise AssertionError("it goes round in circles")

    def _told(self) -> None:
        ranked = [self._info(name) for name in sorted(self.plugged)]
        self.candidates.present(ranked)
        if self.current is not None and self.current.device not in ranked:
            self.current = None
        self._settle()

    @rule(name=st.sampled_from("abc"))
    def plug_or_unplug(self, name: str) -> None:
        if name in self.plugged:
            self.plugged.remove(name)
        else:
            self.worlds[name].instance += 1
            self.plugged.append(name)
        self._told()

    @rule(name=st.sampled_from("abc"), code=st.sampled_from([BROKEN, TAKEN, GONE]))
    def break_it(self, name: str, code: int) -> None:
        world = self.worlds[name]
        world.works, world.code = False, code
        if self.current is not None and self.current.device.id == name:
            self.candidates.failed(self.current.device, code, "broke", self.now)
            self.current = None
        self._settle()

    @rule(name=st.sampled_from("abc"))
    def heal_it(self, name: str) -> None:
        self.worlds[name].works = True
        self._settle()

    @rule(name=st.sampled_from([None, "a", "b", "c"]))
    def prefer(self, name: str | None) -> None:
        self.candidates.prefer(name)
        self._settle()

    @rule(seconds=st.floats(0.1, 100))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (woke := self.candidates.next_look(self.now)) is not None and woke <= end:
            self.now = woke
            self._settle()
        self.now = end
        self._settle()

    @invariant()
    def never_an_absent_one(self) -> None:
        choice = self.candidates.choose(self.now)
        assert choice is None or choice.device in [self._info(name) for name in self.plugged]

    @invariant()
    def attempts_are_bounded(self) -> None:
        for world in self.worlds.values():
            lately = [moment for moment in world.attempts if moment > self.now - 10]
            assert len(lately) <= 40

    def teardown(self) -> None:
        """Quiet for long enough: the best present one that works is in use."""
        self.time_passes(500)
        working = [name for name in sorted(self.plugged) if self.worlds[name].works]
        preferred = self.candidates.preferred
        if preferred in working:
            working = [preferred]
        used = None if self.current is None else self.current.device.id
        assert used == (working[0] if working else None)


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([BROKEN, TAKEN, GONE])), max_size=30))
def test_a_wake_up_is_always_in_the_future_and_near(failures: list[tuple[str, int]]) -> None:
    candidates = Candidates(economies=1)
    candidates.present([A, B, C])
    for now, (name, code) in enumerate(failures):
        candidates.failed(camera(name), code, "no", now)
        woke = candidates.next_look(now)
        assert woke is None or now < woke <= now + LONGEST_PAUSE_WITH_OTHERS_S
