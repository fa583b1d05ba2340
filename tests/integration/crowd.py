# SPDX-License-Identifier: GPL-3.0-or-later
"""People who do anything at any time, and what each of their devices was told.

What a person does next is drawn from the seed and the name alone; only what
they meet differs from run to run.
"""

import asyncio
import contextlib
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.unit.server.rig import Client, Json, Rig

PING_S = 0.7
ENDS = ("onCallEnd", "onCallNotConnected")
BEGINNINGS = ("onCallReceived", "onCallBegin")
"""Who was in a call may be rung for it again, or join it."""
ANSWERED = {0, 8010, -1203, 8021, 90008}
"""What a request that fits no more may be told."""
ALSO = {"join": {-1202}, "inviteUser": {-1202}, "switchMediaType": {-1205}}
"""And these: the call is full; it is none of two, or of audio already."""


@dataclass
class Story:
    """What one session was told of one call."""

    names: list[str] = field(default_factory=list)
    ends: list[Json] = field(default_factory=list)
    begun: bool = False


class Broken(AssertionError):
    """A rule of the protocol was broken."""


class Device:
    """One device of one user: a session after the other."""

    def __init__(self, rig: Rig, user: str, name: str, crowd: "Crowd") -> None:
        self.rig, self.user, self.name, self.crowd = rig, user, name, crowd
        self.client: Client | None = None
        self.stories: dict[tuple[str, str], list[Story]] = {}
        """By session and call: one for each time it was in it."""
        self.call_id = ""
        """The call this session rings for, or is in."""
        self.ringing = self.connected = False
        self._reading: asyncio.Task[None] | None = None

    async def come(self, *, resume: bool) -> None:
        older = self.client
        client = await self.rig.connect().__aenter__()
        more: dict[str, Any] = {}
        if resume and older is not None:
            client.seq = older.seq
            more = {"resume": older.resume}
        reply = await client.hello(self.user, self.crowd.tickets[self.user], self.name, **more)
        if reply["code"] != 0:
            raise Broken(f"{self.name}: hello was answered {reply}")
        client.session = reply["data"]
        if not client.session["resumed"]:
            client.seq = client.session["seq"]
            self._forget()
        self.client = client
        self._reading = asyncio.create_task(self._read(client), name=f"{self.name} reads")

    async def go(self, *, logout: bool) -> None:
        """Leave in order, or as by a power cut."""
        client = self.client
        if client is None:
            return
        if logout:
            with contextlib.suppress(ConnectionClosed, KeyError):
                await client.ask("logout")
            self.client = None
            self._forget()
        await client.abort()
        if self._reading is not None:
            await self._reading

    async def ask(self, kind: str, **fields: Any) -> Json | None:
        """The reply; None when the connection went."""
        client = self.client
        if client is None or client.closed.is_set():
            return None
        self.crowd.commands[kind] += 1
        try:
            reply = await client.ask(kind, **fields)
        except (ConnectionClosed, KeyError):
            return None
        if reply["code"] not in ANSWERED | ALSO.get(kind, set()):
            raise Broken(f"{self.name}: {kind} {fields} was answered {reply}")
        return reply

    def _forget(self) -> None:
        self.call_id, self.ringing, self.connected = "", False, False

    async def _read(self, client: Client) -> None:
        """Take the events as they come: numbered without a gap, none twice."""
        taken = 0
        while True:
            async with client._arrived:
                await client._arrived.wait_for(lambda: len(client.inbox) > taken or client.closed.is_set())
                news, client.inbox[:] = list(client.inbox), []
            for message in news:
                if message["type"] == "event":
                    if message["seq"] != client.seq + 1:
                        raise Broken(f"{self.name}: event {message['seq']} after {client.seq}")
                    client.seq = message["seq"]
                    self._take(client.session_id, message["event"], message["data"])
            if client.closed.is_set() and not client.inbox:
                return

    def _take(self, session_id: str, name: str, data: Json) -> None:
        if "callId" not in data or name == "onMissedCall":
            return
        call_id = data["callId"]
        stories = self.stories.setdefault((session_id, call_id), [Story()])
        if stories[-1].ends and name in BEGINNINGS:
            stories.append(Story())
        story = stories[-1]
        if story.ends:
            raise Broken(f"{self.name}: {name} after the end of call {call_id}: {story.names}")
        story.names.append(name)
        if name in ENDS:
            if name == "onCallEnd" and not story.begun:
                raise Broken(f"{self.name}: onCallEnd of call {call_id} without a begin: {story.names}")
            story.ends.append(data)
            if self.call_id == call_id:
                self._forget()
        elif name == "onCallReceived":
            self.call_id, self.ringing, self.connected = call_id, True, False
        elif name == "onCallBegin":
            story.begun = True
            self.call_id, self.ringing, self.connected = call_id, False, True


class Crowd:
    """So many people, some of them with two devices, until so much was done."""

    def __init__(self, rig: Rig, seed: int, people: int, two_devices: int) -> None:
        self.rig, self.seed = rig, seed
        self.commands: Counter[str] = Counter()
        self.tickets: dict[str, str] = {}
        self.users = [f"user{number:02d}" for number in range(people)]
        self.devices = [Device(rig, user, f"{user}-a", self) for user in self.users]
        self.devices += [Device(rig, user, f"{user}-b", self) for user in self.users[:two_devices]]
        self.started: set[str] = set()
        """Calls that the service named to a caller."""
        self.recent: deque[str] = deque(maxlen=8)
        """Those that may still be going on."""

    @property
    def count(self) -> int:
        return self.commands.total()

    async def run(self, at_least: int, for_s: float) -> None:
        """Until both are reached; then everybody hangs up and goes."""
        for user in self.users:
            self.tickets[user] = await self.rig.usersig(user)
        until = asyncio.get_running_loop().time() + for_s

        def enough() -> bool:
            return self.count >= at_least and asyncio.get_running_loop().time() >= until

        async with asyncio.TaskGroup() as living:
            for device in self.devices:
                living.create_task(self._live(device, enough), name=device.name)
        for device in self.devices:
            if device.client is None or device.client.closed.is_set():
                await device.come(resume=True)
        for device in self.devices:
            if device.call_id:
                await device.ask("hangup", callId=device.call_id)

    async def _live(self, device: Device, enough: Any) -> None:
        chance = random.Random(f"{self.seed}/{device.name}")
        await device.come(resume=False)
        pinged = asyncio.get_running_loop().time()
        while not enough():
            await self._act(device, chance)
            if asyncio.get_running_loop().time() - pinged > PING_S:
                pinged = asyncio.get_running_loop().time()
                client = device.client
                if client is not None:
                    await device.ask("ping", ack=client.seq)
            await asyncio.sleep(chance.expovariate(1 / 0.05))

    async def _act(self, device: Device, chance: random.Random) -> None:
        drawn = chance.random()
        other = chance.choice(self.users)
        if device.client is None or device.client.closed.is_set():
            # Most come back to what they were in, some are somebody new.
            await device.come(resume=drawn < 0.8)
            self.commands["come"] += 1
        elif drawn < 0.06:
            self.commands["power cut"] += 1
            await device.go(logout=False)
        elif drawn < 0.08:
            self.commands["logout"] += 1
            await device.go(logout=True)
        elif device.ringing:
            kind = "accept" if drawn < 0.7 else "reject" if drawn < 0.85 else "hangup"
            await device.ask(kind, callId=device.call_id)
        elif device.call_id:
            await self._take_part(device, chance)
        elif drawn < 0.3 and self.recent:
            await device.ask("join", callId=chance.choice(self.recent))
        elif other != device.user:
            callees = [
                user for user in {other, *chance.sample(self.users, drawn > 0.8)} if user != device.user
            ]
            reply = await device.ask("calls", userIdList=sorted(callees), mediaType=2, timeout=10)
            if reply is not None and reply["code"] == 0:
                self.started.add(reply["data"]["callId"])
                self.recent.append(reply["data"]["callId"])
                if not device.call_id and drawn < 0.7:
                    device.call_id = self._still_open(device, reply["data"]["callId"])

    async def _take_part(self, device: Device, chance: random.Random) -> None:
        """In a call, or calling."""
        drawn, call = chance.random(), {"callId": device.call_id}
        if drawn < 0.4:
            await device.ask("hangup", **call)
        elif drawn < 0.6:
            guest = chance.choice(self.users)
            if guest != device.user:
                await device.ask("inviteUser", **call, userIdList=[guest], timeout=10)
        elif drawn < 0.8:
            await device.ask("setTracks", **call, audio=drawn < 0.7)
        elif drawn < 0.9:
            await device.ask("switchMediaType", **call, mediaType=1)
        else:
            await device.ask("renegotiate", **call, epoch=1)

    @staticmethod
    def _still_open(device: Device, call_id: str) -> str:
        client = device.client
        stories = device.stories.get((client.session_id, call_id)) if client is not None else None
        return "" if stories and stories[-1].ends else call_id
