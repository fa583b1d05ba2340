# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/coverage.md says what the tests say, and they notice when what they prove is taken away."""

import subprocess
import sys

import pytest

from callagent.protocol import taken_out
from callagent.protocol.errors import CallAgentError, ErrorCode
from tests.covers import PAGE, TESTS, covering, covers, mistakes, page

SAMPLE = 6


def test_every_row_that_is_built_has_a_test_and_the_page_names_it() -> None:
    found = covering()
    assert mistakes(found) == []
    assert PAGE.read_text() == page(found), "run: python -m tests.covers"


def test_a_row_there_is_not() -> None:
    with pytest.raises(ValueError, match="event:onNothing"):
        covers("event:onNothing")


def test_tests_notice_what_is_taken_out() -> None:
    """A sample; `make long` tries all."""
    command = [sys.executable, "-m", "tests.without_row", "--sample", str(SAMPLE)]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SAMPLE} of {SAMPLE} rows taken out were noticed" in done.stdout


def test_a_row_whose_test_passes_without_it_is_found() -> None:
    """What is taken out is nothing that any test looks at."""
    script = (
        "from tests.coverage.rows import Row, Status\n"
        "from tests.covers import covering\n"
        "from tests.without_row import without\n"
        "row = Row('x', '', Status.BUILT, hook='event:onNothing')\n"
        "assert without(row, covering()['callback-url:contenttype']).missed_by"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=TESTS.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_out, "_out", "")
    monkeypatch.setenv(taken_out.VARIABLE, "")


@pytest.mark.usefixtures("nothing_left")
def test_what_can_be_taken_out() -> None:
    event = {"type": "event", "event": "onX", "data": {"reason": 2, "peers": [{"a": 1, "b": 2}, {"b": 3}]}}
    assert taken_out.sent(event) == event
    taken_out.take_out("event:onX.peers.b")
    assert taken_out.sent(event)["data"] == {"reason": 2, "peers": [{"a": 1}, {}]}
    taken_out.take_out("value:reason=2")
    assert taken_out.sent(event)["data"]["reason"] == 0
    taken_out.take_out("event:onX")
    assert (taken_out.gone("event", "onX"), taken_out.gone("event", "onY")) == (True, False)
    taken_out.take_out("code:-1203")
    assert taken_out.sent({"type": "reply", "code": -1203})["code"] == 101001
    assert CallAgentError(ErrorCode.REQUEST_REFUSED, "").code is ErrorCode.SERVER_INTERNAL
    assert CallAgentError(ErrorCode.INIT_FAIL, "").code is ErrorCode.INIT_FAIL
    taken_out.take_out("rest:*.RequestId")
    assert taken_out.pruned("rest", "get_call_info", {"RequestId": "x", "ErrorCode": 0}) == {"ErrorCode": 0}
