# SPDX-License-Identifier: GPL-3.0-or-later
"""What displays say of themselves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.edid import preferred_size, read_preferred_size


def edid(timing: bytes) -> bytes:
    return bytes.fromhex("00ffffffffffff00") + bytes(46) + timing.ljust(18, b"\0") + bytes(56)


def test_the_first_detailed_timing_counts() -> None:
    # 1080x1920 and 3840x2160: the high bits lie in nibbles of their own.
    assert preferred_size(edid(bytes.fromhex("df54387a41804370"))) == (1080, 1920)
    assert preferred_size(edid(bytes.fromhex("04740030f2705a80"))) == (3840, 2160)


def test_qemus_own_as_the_laboratory_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "edid"
    file.write_bytes(edid(bytes.fromhex("b80fe0a810201c30780e440079cb00000018")))
    assert read_preferred_size(file) == (480, 800)


@pytest.mark.parametrize("data", [b"", b"\0" * 128, edid(bytes(18))[:100], edid(bytes(18))])
def test_one_that_tells_no_size(data: bytes) -> None:
    assert preferred_size(data) is None


def test_a_connector_without_display(tmp_path: Path) -> None:
    assert read_preferred_size(tmp_path / "edid") is None
    (tmp_path / "edid").write_bytes(b"")
    assert read_preferred_size(tmp_path / "edid") is None


@given(st.binary(max_size=300))
def test_no_data_breaks_it(data: bytes) -> None:
    size = preferred_size(data)
    assert size is None or min(size) > 0
