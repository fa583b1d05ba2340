# SPDX-License-Identifier: GPL-3.0-or-later
"""The composition root: devices, media, WebRTC, call engine, policy and control socket of one machine."""

import asyncio
import contextlib
import logging
import time
from functools import partial
from pathlib import Path

import gpiozero

from callagent import __version__
from callagent.agent.attendant import Attendant
from callagent.agent.board_nodes import BoardNodes
from callagent.agent.camera_controls import camera_controls, set_camera_control
from callagent.agent.control import ControlServer
from callagent.agent.hardware import with_profile
from callagent.agent.ice import WithOwnServers, configured_servers
from callagent.agent.lights import View
from callagent.agent.orientation_watch import OrientationWatch
from callagent.agent.panel import Panel
from callagent.agent.panel_actions import PanelActions
from callagent.agent.privacy import CAMERA, REASON, SOFTWARE, Privacy
from callagent.agent.report import devices_report, status_report
from callagent.agent.shutter import Shutter
from callagent.agent.sign_in import Identity
from callagent.agent.stats import measured
from callagent.agent.studio import Studio
from callagent.agent.voices import VoiceWatch
from callagent.call.engine import CallEngine, EngineSettings
from callagent.call.model import CallParams
from callagent.call.notifications import EngineEvent, OnCommand
from callagent.config import AgentConfig, HardwareProfile
from callagent.devices.inventory import DeviceKind
from callagent.devices.network import Network, NetworkWatch
from callagent.devices.nodes import KernelNodes, Nodes
from callagent.devices.registry import Registry
from callagent.devices.udev import PyudevSource
from callagent.devices.udev_source import UdevSource
from callagent.media.encoders.roster import EncoderRoster
from callagent.ports import Codec, SourceState
from callagent.protocol import control as api
from callagent.protocol.command import OPEN_DOOR
from callagent.protocol.enums import CallState, LoginState, MediaType, Platform
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HistoryData
from callagent.rtc import RtcSettings, WebRtcSessionFactory
from callagent.rtc.h264_level import level_for

logger = logging.getLogger(__name__)

PRIVACY_EVENT = "privacyChanged"
SLOTS_EVENT = "slotsChanged"
"""The agent's own event: a camera, microphone or speaker slot changed its state."""
VOICES_EVENT = "onUserVoiceVolumeChanged"
"""How loud each member of the call is, 0 to 100 (reference: callkit-client-api 5)."""
DEFAULT_RING_S = 30
SOUND_BPS = 200_000
"""Beside pictures: more than sound ever takes."""
CAPABILITIES = ("calls", "video", "h264", "vp8", "opus")


class Agent:
    """One endpoint; after `start` it works by itself until `close`. Used on the event loop."""

    def __init__(
        self,
        config: AgentConfig,
        identity: Identity,
        socket: Path | None = None,
        *,
        hardware: HardwareProfile | None = None,
        udev: UdevSource | None = None,
        nodes: Nodes | None = None,
        gpio_factory: gpiozero.Factory | None = None,
        encoders: EncoderRoster | None = None,
    ) -> None:
        """`socket`: where to listen for control; none for an agent inside another program.

        `hardware`: the profile of the machine, as `find_hardware` finds it; none: no defaults from there.
        `udev`, `nodes` and `gpio_factory`: in place of the kernel's, such as those of
        `devices.virtual.scripted.ScriptedHardware` and gpiozero's MockFactory. `encoders`: as
        `encoding.machine_encoders` finds them; none: software.
        """
        nodes = nodes or KernelNodes()
        if hardware is not None:
            config, nodes = with_profile(config, hardware), BoardNodes(nodes, hardware.sound)
        self._config = config
        self._hardware = hardware
        self._identity = identity
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.registry = Registry(udev or PyudevSource())
        self.privacy = Privacy(self._privacy_changed)
        self._shutter = Shutter(partial(self.privacy.set, CAMERA))
        self.orientation = OrientationWatch(
            config.screen.orientation, self.registry, nodes, self._orientation_changed
        )
        self.studio = Studio(
            config,
            self.registry,
            nodes,
            self._slots_changed,
            self._devices_changed,
            self._shutter.watch,
            encoders,
        )
        self.panel = Panel(
            config, PanelActions(self), self.registry, on_switch=self.privacy.set, factory=gpio_factory
        )
        self._network = NetworkWatch(self._network_changed)
        self._voices = VoiceWatch(self._levels, self._tell_voices)
        self._devices_told = False
        media = WebRtcSessionFactory(
            self.studio.local, self.studio.remote, _rtc_settings(config), tracer=self.studio.tracer
        )
        self.engine = CallEngine(
            _engine_settings(config, identity), WithOwnServers(media, configured_servers(config.media))
        )
        self.attendant = Attendant(self.engine, self.studio, config.answer, mute_ring=config.sound.mute_ring)
        self._control: ControlServer | None = None
        if socket is not None:
            self._control = ControlServer(self, socket, config.control.mode_bits, config.control.group)
        self.engine.add_observer(self.attendant.on_event)
        self.engine.add_observer(self._publish)
        self.engine.add_observer(self._obey)
        if self.panel.door is not None:
            self.engine.offer_commands([OPEN_DOOR])

    @property
    def user_id(self) -> str:
        return self._identity.user_id

    async def start(self) -> None:
        """Listen for control, choose devices, begin to log in. Raises OSError when the socket is taken."""
        if self._control is not None:
            await self._control.start()
        await self.registry.start()
        await self.orientation.start()
        await self.studio.start()
        self.panel.start()
        await self._network.start()
        self._voices.start()
        await self.engine.start()

    async def close(self) -> None:
        """Hang up with an end event, release every device. Idempotent; at most some 5 s."""
        self._voices.close()
        await self._network.close()
        await self.engine.close()
        await self.attendant.close()
        await self.panel.close()
        await self._shutter.close()
        await self.orientation.close()
        await self.studio.close()
        await self.registry.close()
        if self._control is not None:
            await self._control.close()

    # --- what the control socket asks ------------------------------------

    async def status(self) -> api.StatusData:
        return await status_report(
            self._config,
            self.engine,
            self.studio,
            device_id=self._identity.device_id,
            user_id=self._identity.user_id,
            began=self._began,
            missed_calls=self.attendant.missed,
            privacy=api.PrivacyStatus(on=self.privacy.on, sources=self.privacy.sources),
            orientation=self._orientation_status(),
            registry=self.registry,
            panel=self.panel,
            hardware_profile="" if self._hardware is None else self._hardware.name,
        )

    async def devices(self) -> api.DevicesData:
        return devices_report(self.studio, self.registry.present)

    async def select(self, request: api.SelectRequest) -> api.DevicesData:
        """Raises PARAM_INVALID for a slot or device that is not there."""
        binding = self.studio.bindings.get(request.slot)
        if binding is None:
            raise CallAgentError(ErrorCode.PARAM_INVALID, "There is no such slot here", "slot")
        if request.device_id is not None:
            kind = DeviceKind(request.slot.removeprefix("ring_"))
            if self.registry.present.get(kind, request.device_id) is None:
                raise CallAgentError(ErrorCode.PARAM_INVALID, f"There is no such {kind}", "deviceId")
        binding.prefer(request.device_id)
        return await self.devices()

    async def switch_camera(self, request: api.SideRequest) -> api.DevicesData:
        """For the present call. Raises REQUEST_REFUSED when no other side is configured."""
        self.studio.switch_camera(request.side)
        return await self.devices()

    async def camera_controls(self) -> api.CameraControlsData:
        return await camera_controls(self.studio.bindings["camera"])

    async def set_camera_control(self, request: api.SetCameraControlRequest) -> api.CameraControlsData:
        await set_camera_control(self.studio.bindings["camera"], request.name, request.value)
        return await self.camera_controls()

    async def set_volume(self, request: api.VolumeRequest) -> api.VolumeData:
        speaker = self.studio.speaker
        if request.volume is not None:
            speaker.volume = request.volume
        elif request.step is not None:
            speaker.volume = min(100, max(0, speaker.volume + request.step))
        return api.VolumeData(volume=speaker.volume)

    async def set_privacy(self, enabled: bool) -> api.ToggleData:
        """The software source of the switch; answers with the switch as a whole."""
        self.privacy.set(SOFTWARE, enabled)
        return api.ToggleData(enabled=self.privacy.on)

    async def open_door(self) -> api.DoneData:
        """Asked for here. Raises REQUEST_REFUSED."""
        if self.panel.door is None:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "This device has no door")
        self.panel.door.open()
        return api.DoneData()

    async def command(self, request: api.RemoteCommandRequest) -> api.DoneData:
        await self.engine.command(request.user_id, request.command)
        return api.DoneData()

    async def call(self, request: api.CallRequest) -> api.CallStartedData:
        self.attendant.somebody_is_here()
        configured = MediaType.VIDEO if self._config.call.media_type == "video" else MediaType.AUDIO
        timeout = self._config.call.timeout_s if request.timeout is None else request.timeout
        call_id = await self.engine.calls(
            request.user_id_list,
            request.media_type or configured,
            CallParams(timeout=timeout, user_data=request.user_data),
        )
        return api.CallStartedData(call_id=call_id, timeout=timeout or DEFAULT_RING_S)

    async def answer(self) -> api.CommandData:
        self.attendant.somebody_is_here()
        call_id = self.engine.state.call_id
        await self.engine.accept()
        return api.CommandData(call_id=call_id)

    async def reject(self) -> api.CommandData:
        call_id = self.engine.state.call_id
        await self.engine.reject()
        return api.CommandData(call_id=call_id)

    async def hangup(self) -> api.CommandData:
        call_id = self.engine.state.call_id
        await self.engine.hangup()
        return api.CommandData(call_id=call_id)

    async def set_microphone(self, enabled: bool) -> api.ToggleData:
        """At once at the device, then the other side is told."""
        self._require_call()
        self._require_no_privacy(enabled)
        self.studio.microphone.muted = not enabled
        await self.engine.set_microphone(enabled)
        return api.ToggleData(enabled=enabled)

    async def set_camera(self, enabled: bool) -> api.ToggleData:
        """Off closes the device."""
        self._require_call()
        self._require_no_privacy(enabled)
        self.studio.set_camera(enabled)
        await self.engine.set_camera(enabled)
        return api.ToggleData(enabled=enabled)

    async def history(self, limit: int) -> HistoryData:
        self.attendant.somebody_is_here()
        return HistoryData(calls=await self.engine.history(limit))

    async def stats(self, seconds: float) -> api.StatsData:
        """Where the time goes, over the next so many seconds."""
        return await measured(self.studio.tracer, seconds)

    def _require_call(self) -> None:
        if self.engine.state.call_state is not CallState.CONNECTED:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "There is no connected call")

    def _require_no_privacy(self, enabled: bool) -> None:
        if enabled and self.privacy.on:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, f"{REASON}: {', '.join(self.privacy.sources)}")

    def _privacy_changed(self, on: bool) -> None:
        self.studio.set_privacy(on, REASON)
        self.engine.set_privacy(on)
        self._refresh_panel()
        self._tell(PRIVACY_EVENT, {"on": on, "sources": self.privacy.sources})

    def _obey(self, event: EngineEvent) -> None:
        """A member of the call asks for something this device offers; the service vouches for who it is."""
        if not isinstance(event.payload, OnCommand):
            return
        asked, error = event.payload, None
        try:
            self._carry_out(asked)
        except CallAgentError as refusal:
            error = refusal
        self.engine.answer_command(asked, error)

    def _carry_out(self, asked: OnCommand) -> None:
        state = self.engine.state
        in_call = asked.command.call_id == state.call_id and any(
            member.user_id == asked.user_id for member in state.members
        )
        if asked.command.command != OPEN_DOOR or self.panel.door is None:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "This device takes no such command")
        self.panel.door.open_from_afar(asked.user_id, asked.command.command_id, in_call=in_call)

    def _view(self) -> View:
        state = self.engine.state
        slots = self.studio.slots.values()
        return View(
            call_state=state.call_state,
            on_air=self.studio.on_air(),
            error=state.login_state is not LoginState.ONLINE
            or any(slot.state in (SourceState.ABSENT, SourceState.FAILED) for slot in slots),
            missed_calls=self.attendant.unseen > 0,
            privacy=self.privacy.on,
            online=state.login_state is LoginState.ONLINE,
        )

    def _refresh_panel(self) -> None:
        self.panel.update(self._view())

    # --- what it tells ----------------------------------------------------

    def _publish(self, event: EngineEvent) -> None:
        self._refresh_panel()
        self._tell(event.name, event.data)

    def _slots_changed(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the agent has ended
            self._loop.call_soon_threadsafe(self._tell_slots)

    def _tell_slots(self) -> None:
        self._refresh_panel()
        self._tell(SLOTS_EVENT, {})

    def _levels(self) -> dict[str, int]:
        if self.engine.state.call_state is not CallState.CONNECTED:
            return {}
        return self.studio.remote.levels() | {self.user_id: self.studio.microphone.level}

    def _tell_voices(self, levels: dict[str, int]) -> None:
        self._tell(VOICES_EVENT, {"callId": self.engine.state.call_id, "volumeMap": levels})

    def _network_changed(self, before: Network, now: Network) -> None:
        logger.info("the network changed: addresses %s", ", ".join(sorted(now.addresses)) or "none")
        self.engine.network_changed(before.addresses - now.addresses, there=bool(now.addresses))

    def _orientation_changed(self) -> None:
        self.studio.orient(self.orientation.current)
        self._tell(api.ORIENTATION_CHANGED_EVENT, self._orientation_status().wire())

    def _orientation_status(self) -> api.OrientationStatus:
        current = self.orientation.current
        return api.OrientationStatus(
            screen=current.screen, reason=current.reason, camera_rotation=self.studio.camera.rotation
        )

    def _devices_changed(self) -> None:
        """On the loop; several changes of one moment are told once."""
        if not self._devices_told:
            self._devices_told = True
            self._loop.call_soon(self._tell_devices)

    def _tell_devices(self) -> None:
        self._devices_told = False
        self._tell(api.DEVICE_CHANGED_EVENT, devices_report(self.studio, self.registry.present).wire())

    def _tell(self, name: str, data: dict[str, object]) -> None:
        if self._control is not None:
            self._control.publish(api.EventMessage(event=name, time=int(time.time() * 1000), data=data))


def _rtc_settings(config: AgentConfig) -> RtcSettings:
    silence_s, usual = config.media.silence_s, RtcSettings()
    # As libwebrtc has it: that a way carries more need not be known, and finding out takes bursts of padding.
    max_bps = 2 * config.video.target_bps + SOUND_BPS
    return RtcSettings(
        start_bps=min(usual.start_bps, max_bps),
        max_bps=max_bps,
        video_codecs=tuple(Codec(name) for name in config.video.codecs),
        h264_level=level_for(*config.video.size, config.video.fps),
        silence_timeout_s=silence_s,
        quiet_timeout_s=max(usual.quiet_timeout_s, 2 * silence_s),
    )


def _engine_settings(config: AgentConfig, identity: Identity) -> EngineSettings:
    return EngineSettings(
        url=config.service.url,
        app_id=config.service.sdk_app_id,
        user_id=identity.user_id,
        device_id=identity.device_id,
        credentials=identity.credentials,
        platform=Platform.LINUX,
        version=__version__,
        model=identity.model,
        capabilities=CAPABILITIES,
        ssl_context=identity.tls,
        proxy=config.service.proxy,
        on_kicked=config.login.on_kicked,
    )
