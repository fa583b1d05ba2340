# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent demo --check`: service and kiosk as in the demo, one real call to it, a table, an exit code."""

import tempfile
import time
from pathlib import Path

from callagent.agent.trial_call import Finding, Side, trial_call
from callagent.cli.demo import KIOSK, agent_config, running_agent, running_demo
from callagent.protocol.errors import CallAgentError
from callagent.server.serve import ServeError

CALLER = "caller"
KIOSK_TONE_HZ, CALLER_TONE_HZ = 1000.0, 1500.0


async def demo_check() -> int:
    """Exit code 0 when everything worked, else 1."""
    try:
        findings = await _check()
    except (ServeError, CallAgentError, OSError) as error:
        findings = [Finding("call service and agents work", ok=False, figure=str(error))]
    ok = all(finding.ok for finding in findings)
    print("callagent check: one video call between two agents on this machine")
    for finding in findings:
        print(f"  {'ok    ' if finding.ok else 'FAILED'}  {finding.what:<48} {finding.figure}")
    print("everything works" if ok else "something does not work", flush=True)
    return 0 if ok else 1


async def _check() -> list[Finding]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="callagent-check-") as folder:
        async with running_demo(Path(folder)) as demo:
            up = Finding("call service and kiosk are up", ok=True, figure=f"{time.monotonic() - began:.1f} s")
            virtual = dict.fromkeys(demo.devices, "virtual")
            config = await agent_config(
                demo.service, demo.app_id, CALLER, devices=virtual, tone_hz=CALLER_TONE_HZ
            )
            async with running_agent(config) as agent:
                caller = Side(CALLER, agent, coded_camera=True, tone_hz=CALLER_TONE_HZ)
                kiosk = Side(
                    KIOSK,
                    demo.kiosk,
                    coded_camera=demo.devices["camera"] == "virtual",
                    tone_hz=KIOSK_TONE_HZ if demo.devices["microphone"] == "virtual" else None,
                )
                return [up, *await trial_call(caller, kiosk)]
