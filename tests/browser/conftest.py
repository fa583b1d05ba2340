# SPDX-License-Identifier: GPL-3.0-or-later
"""One service, the clips and the browsers of the browser tests."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, chromium
from tests.browser.clients import Clients
from tests.browser.clips import write_clip, write_tone
from tests.browser.service import RunningService, running_service
from tests.browser.three import Three, open_three

CLIP_IDENT = 7
TONE_HZ = 1700.0
OTHER_CLIP_IDENT = 9
OTHER_TONE_HZ = 2300.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ident 7, 15 frames per second, 20 s."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.y4m", ident=CLIP_IDENT)


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1700 Hz at -18 dBFS."""
    return write_tone(tmp_path_factory.mktemp("tones") / "tone.wav", TONE_HZ)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ident 9."""
    return write_clip(tmp_path_factory.mktemp("clips") / "other.y4m", ident=OTHER_CLIP_IDENT)


@pytest.fixture(scope="session")
def other_tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2300 Hz at -18 dBFS."""
    return write_tone(tmp_path_factory.mktemp("tones") / "other.wav", OTHER_TONE_HZ)


@pytest.fixture
async def browser(clip: Path, tone: Path) -> AsyncIterator[Chromium]:
    """A browser with camera and microphone."""
    async with chromium(clip=clip, tone=tone) as running:
        yield running


@pytest.fixture
async def other_browser(other_clip: Path, other_tone: Path) -> AsyncIterator[Chromium]:
    """Another one, showing and sounding different."""
    async with chromium(clip=other_clip, tone=other_tone) as running:
        yield running


@pytest.fixture
async def three(browser: Chromium, other_browser: Chromium, service: RunningService) -> Three:
    return await open_three(browser, other_browser, service)


@pytest.fixture
async def clients(service: RunningService) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(service, stack)


@pytest.fixture
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the screens go: CALLAGENT_SCREENSHOTS, else a temporary folder."""
    named = os.environ.get("CALLAGENT_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
