# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sender to four peers, one of whose ways becomes narrow: `python -m benchmarks.weaknet_four LENGTH`.

LENGTH is a factor on the times. Prints a JSON object of figures on standard output.
"""

import asyncio
import json
import sys

from benchmarks.fanout_ours import send
from benchmarks.fanout_sender import CONNECT_S, HEIGHT, WIDTH, Answer, Receivers, receivers_process
from benchmarks.scene import LatencyLog, Scene
from tests.impaired_link import ImpairedLink
from tests.programs import until

PEERS = 4
CAP_BPS = 300_000
WARM_UP_S, WIDE_S, SETTLE_S, CAPPED_S = 10.0, 15.0, 10.0, 30.0


async def measure(factor: float) -> dict[str, float]:
    links = [ImpairedLink() for _ in range(PEERS)]
    async with receivers_process() as receivers:
        answers = [_through(link, receivers) for link in links]
        async with send(Scene(WIDTH, HEIGHT), LatencyLog(), answers):
            await until(receivers.all_receive, CONNECT_S, lambda: "no pictures arrive")
            await asyncio.sleep(WARM_UP_S * factor)
            wide = await _rates(receivers, WIDE_S * factor)
            links[0].there.rate_bps = CAP_BPS
            await asyncio.sleep(SETTLE_S * factor)
            capped = await _rates(receivers, CAPPED_S * factor)
        for link in links:
            link.close()

    def worst(column: int) -> float:
        shares = [after[column] / before[column] for before, after in zip(wide[1:], capped[1:], strict=True)]
        return 100 * (1 - min(shares))

    return {
        "lost_percent": worst(1),
        "lost_pictures_percent": worst(0),
        "capped_fps": capped[0][0],
        "others_kbps": min(bits for _, bits in capped[1:]) / 1000,
    }


def _through(link: ImpairedLink, receivers: Receivers) -> Answer:
    async def answer(offer: str) -> str:
        return link.lead_answer(await receivers.answer(await link.lead_offer(offer)))

    return answer


async def _rates(receivers: Receivers, seconds: float) -> list[tuple[float, float]]:
    """Of each receiver: complete pictures and their bits per second."""
    before = await receivers.received()
    await asyncio.sleep(seconds)
    after = await receivers.received()
    return [
        ((a[0] - b[0]) / seconds, (a[1] - b[1]) * 8 / seconds) for a, b in zip(after, before, strict=True)
    ]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(float(sys.argv[1])))))
