# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' own instruments agree with the product's frame code and with each other."""

import numpy as np
import pytest

from callagent.devices.virtual import framecode
from tests.browser.chromium import HERE, Chromium
from tests.browser.clips import code_bytes, draw_code


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720)])
@pytest.mark.parametrize(
    ("ident", "counter", "clock_ms"), [(7, 0, 0), (255, 65535, 2**24 - 1), (9, 4242, 123456)]
)
def test_the_product_reads_the_clips_code(
    width: int, height: int, ident: int, counter: int, clock_ms: int
) -> None:
    luma = np.full((height, width), 90, np.uint8)
    draw_code(luma, code_bytes(ident, counter, clock_ms))
    assert framecode.read(luma) == framecode.FrameCode(counter=counter, clock_ms=clock_ms, ident=ident)


async def test_the_page_reads_the_products_code(browser: Chromium) -> None:
    page = await browser.page()
    await page.add_script_tag(path=HERE / "framecode.js")
    for code in (framecode.FrameCode(4242, 123456, 9), framecode.FrameCode(65535, 2**24 - 1, 255)):
        luma = np.full((240, 320), 90, np.uint8)
        framecode.draw(luma, code)
        strip = np.repeat(luma[:30, :, None], 4, axis=2).tobytes()
        read = await page.evaluate(
            "([pixels, w, h]) => frameCode.decode(pixels, w, h)", [list(strip), 320, 30]
        )
        assert read == {"ident": code.ident, "counter": code.counter, "clock": code.clock_ms}
        luma[:8, :4] = 235  # a broken cell: no code rather than a wrong one
        spoilt = np.repeat(luma[:30, ::-1, None], 4, axis=2).tobytes()
        assert (
            await page.evaluate("([p, w, h]) => frameCode.decode(p, w, h)", [list(spoilt), 320, 30]) is None
        )


async def test_goertzel_finds_a_tone_at_its_level(browser: Chromium) -> None:
    page = await browser.page()
    await page.add_script_tag(path=HERE / "audio_meter.js")
    level, beside = await page.evaluate(
        """() => {
          const samples = Float32Array.from({ length: 16384 }, (_, i) =>
            0.125 * Math.sin((2 * Math.PI * 1700 * i) / 48000));
          return [1700, 1870].map((hz) => audioMeter.goertzel(samples, hz, 48000));
        }"""
    )
    assert level == pytest.approx(-18.06, abs=0.2)
    assert beside < level - 40
