# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call whom."""

import pytest

from callagent.server.calls.policy import CallPolicy, CallRule

HOSPITAL = CallPolicy(
    [
        CallRule(("bed-*",), ("nurse-1?",), allow=True),
        CallRule(("bed-*",), ("*",), allow=False),
        CallRule(("*",), ("director",), allow=False, app_id=2),
    ]
)


@pytest.mark.parametrize(
    ("app_id", "caller", "callee", "allowed"),
    [
        (1, "bed-7", "nurse-12", True),
        (1, "bed-7", "nurse-2", False),
        (1, "bed-7", "bed-8", False),
        (1, "nurse-12", "bed-7", True),
        (1, "BED-7", "bed-8", True),
        (1, "nurse-12", "director", True),
        (2, "nurse-12", "director", False),
    ],
)
def test_the_first_rule_that_fits_decides(app_id: int, caller: str, callee: str, allowed: bool) -> None:
    assert HOSPITAL.allows(app_id, caller, callee) is allowed


def test_without_rules_everybody_may() -> None:
    assert CallPolicy().allows(1, "anna", "bea")
