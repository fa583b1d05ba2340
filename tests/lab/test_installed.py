# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed service: it boots, comes online without any device, survives a kill, and takes a call."""

import json

from callagent.devices.virtual.tone_meter import tone_db
from callagent.protocol.control import SlotState
from callagent.protocol.enums import LoginState
from tests.lab.kiosk import GuestKiosk
from tests.lab.waiting import until
from tests.listening import samples
from tests.programs import Kiosk

VIRTUAL = {name: {"device": "virtual"} for name in ("camera", "microphone", "speaker")}


async def test_it_is_a_service_and_online_without_a_camera(kiosk: GuestKiosk) -> None:
    await kiosk.start()
    shown = await kiosk.run("systemctl show callagent -p ActiveState -p SubState -p User -p NRestarts")
    assert {"ActiveState=active", "SubState=running", "User=callagent", "NRestarts=0"} <= set(shown.split())
    status = await kiosk.status()
    assert status is not None
    assert status.slots["camera"].state is SlotState.OFF
    async with kiosk.client() as client:
        assert (await client.devices()).cameras == []
    printed = await kiosk.run("runuser -u callagent -- callagent status")
    assert "online" in printed
    errors = await kiosk.run("journalctl -u callagent -p err -q --no-pager")
    assert errors == ""


async def test_it_knows_the_machine_and_the_doctor_finds_no_problem(kiosk: GuestKiosk) -> None:
    await kiosk.start()
    status = await kiosk.status()
    assert status is not None
    assert status.hardware_profile == "laboratory"
    report = json.loads(await kiosk.run("callagent doctor --json", check=False, timeout_s=120))
    found = [check for check in report["checks"] if check["state"] == "problem"]
    assert found == []
    said = [check for check in report["checks"] if check["text"].startswith("hardware profile laboratory")]
    assert [(check["topic"], check["state"]) for check in said] == [("hardware", "ok")]


async def test_killed_it_is_back_by_itself(kiosk: GuestKiosk) -> None:
    await kiosk.start()
    before = await kiosk.run("systemctl show callagent -p MainPID --value")
    await kiosk.run("systemctl kill -s KILL callagent")
    await kiosk.until(
        lambda status: status.login is LoginState.ONLINE and status.uptime_s < 60, "not back", 90
    )
    assert await kiosk.run("systemctl show callagent -p MainPID --value") != before


async def test_a_mistake_in_the_configuration_leaves_it_down(kiosk: GuestKiosk) -> None:
    await kiosk.start()
    await kiosk.run("sed -i s/camera/camra/ /etc/callagent/callagent.yaml")
    await kiosk.run("systemctl restart callagent", check=False)
    await kiosk.run("timeout 20 sh -c 'until systemctl is-failed -q callagent; do sleep 0.2; done'")
    shown = await kiosk.run("systemctl show callagent -p ActiveState -p ExecMainStatus")
    assert {"ActiveState=failed", "ExecMainStatus=78"} <= set(shown.split())
    assert "camra: unknown key; did you mean camera?" in kiosk.journal()


async def test_a_call_from_here_into_the_guest(kiosk: GuestKiosk, caller: Kiosk) -> None:
    """Virtual devices on both sides: signalling, WebRTC and codecs of the installed program."""
    microphone = {"virtual": {"tone_hz": 1500.0}} | VIRTUAL["microphone"]
    await kiosk.start(**(VIRTUAL | {"microphone": microphone}))
    async with caller.client() as control:
        await control.call(["kiosk"])
    await kiosk.until_state("ringing")
    async with kiosk.client() as control:
        await control.answer()
    await caller.until_state("connected", 40)

    async def pictures() -> bool:
        return len(caller.seen()) >= 20

    await until(pictures, 60, kiosk.journal)
    counters = [picture["counter"] for picture in caller.seen()]
    assert counters == sorted(set(counters))

    async def tone() -> bool:
        return tone_db(samples(caller.sound, 0.5), 1500.0) >= 20

    await until(tone, 30, kiosk.journal)

    async def seen_there() -> bool:
        status = await kiosk.status()
        return status is not None and status.media["screen"]["codes_read"] >= 20

    await until(seen_there, 60, kiosk.journal)
    async with kiosk.client() as control:
        await control.hangup()
    await caller.until_state("idle")
