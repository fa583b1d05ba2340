# SPDX-License-Identifier: GPL-3.0-or-later
"""The privacy switch stays on while anything keeps it on."""

from hypothesis import given
from hypothesis import strategies as st

from callagent.agent.privacy import SOFTWARE, Privacy

SOURCES = [SOFTWARE, "camera", "lever"]


@given(st.lists(st.tuples(st.sampled_from(SOURCES), st.booleans())))
def test_it_is_on_while_any_source_keeps_it_on(steps: list[tuple[str, bool]]) -> None:
    told: list[bool] = []
    privacy = Privacy(told.append)
    kept: dict[str, bool] = {}
    for source, on in steps:
        privacy.set(source, on)
        kept[source] = on
        assert privacy.on == any(kept.values())
        assert privacy.sources == sorted(name for name, on in kept.items() if on)
        assert told[-1:] in ([], [privacy.on])
    assert told == [index % 2 == 0 for index in range(len(told))]


def test_a_button_cannot_undo_a_lever() -> None:
    told: list[bool] = []
    privacy = Privacy(told.append)
    privacy.set("lever", True)
    privacy.toggle()
    privacy.toggle()
    assert privacy.on
    privacy.set("lever", False)
    assert told == [True, False]
