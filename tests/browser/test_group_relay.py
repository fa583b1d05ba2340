# SPDX-License-Identifier: GPL-3.0-or-later
"""Three web phones whose media may take no way but the relay's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.clips import write_small_clip
from tests.browser.conftest import CLIP_IDENT, OTHER_CLIP_IDENT, OTHER_TONE_HZ
from tests.browser.phone import Phone
from tests.browser.service import RunningService, own_address
from tests.browser.three import Three
from tests.coturn import coturn
from tests.programs import running

_WAY = """
async (user) => {
  const reports = await callagentPhone.engine.getStats(user);
  const all = Array.from(reports.values());
  const pair = all.find(({ type, nominated }) => type === "candidate-pair" && nominated);
  const ends = [reports.get(pair.localCandidateId), reports.get(pair.remoteCandidateId)];
  const own = all.filter(({ type }) => type === "local-candidate");
  return [...ends, ...own].map(({ candidateType }) => candidateType);
}"""


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), CLIP_IDENT)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), OTHER_CLIP_IDENT)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    async with coturn(own_address()) as relay:
        service = RunningService(tmp_path, ice={"servers": [relay], "relay_only": True})
        async with running(service):
            yield service


async def ways(phone: Phone, user: str) -> set[str]:
    """The kinds of every candidate this side had, and of the pair in use."""
    kinds: list[Any] = await phone.page.evaluate(_WAY, user)
    return {str(kind) for kind in kinds}


async def test_three_by_the_relay_alone(three: Three) -> None:
    await three.call()
    anna, ben = three.anna, three.ben
    assert {f.ident for f in await anna.wait_for_frames(10, three.ben_id)} == {OTHER_CLIP_IDENT}
    await anna.wait_for_tone(OTHER_TONE_HZ, three.ben_id, present=True)
    assert await ways(anna, three.ben_id) == await ways(anna, three.cleo_id) == {"relay"}
    assert await ways(ben, three.cleo_id) == {"relay"}
    await three.cleo["hangup"].click()
    await anna.wait_for_layout("solo")
    count = len(await anna.frames(three.ben_id))
    await anna.wait_for_frames(count + 20, three.ben_id)
    assert await ways(anna, three.ben_id) == {"relay"}
