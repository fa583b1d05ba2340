# SPDX-License-Identifier: GPL-3.0-or-later
"""From the configuration of camera, microphone and speaker to what may be behind their slots."""

from collections.abc import Callable

from callagent.agent.binding import Wanted
from callagent.agent.candidates import Choice
from callagent.agent.selection import ranked
from callagent.config import AgentConfig
from callagent.config.selectors import DeviceSelector
from callagent.config.sound_devices import MicrophoneConfig, SpeakerConfig
from callagent.devices.inventory import DeviceInfo, DeviceKind
from callagent.devices.nodes import Nodes
from callagent.devices.registry import Registry
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.devices.udev import PyudevSource
from callagent.devices.udev_source import UdevSource
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualSpeaker
from callagent.ports import AudioOutput, AudioSource, PixelFormat, VideoSource

VIRTUAL = "virtual"
CAMERA_ECONOMIES = 1


def wanted(kind: DeviceKind, device: str | list[DeviceSelector], *, follow: bool = True) -> Wanted:
    """`device` as in the configuration: a word, an ALSA name, or selectors."""
    economies = CAMERA_ECONOMIES if kind is DeviceKind.CAMERA else 0
    if isinstance(device, list):
        return Wanted(kind, device, follow=follow, economies=economies)
    match device:
        case "auto":
            return Wanted(kind, follow=follow, economies=economies)
        case "none":
            return Wanted(kind, none=True)
        case "virtual":
            return Wanted(kind, fixed=_fixed(kind, f"virtual-{kind}"))
        case name:
            return Wanted(kind, fixed=_fixed(kind, name))


def _fixed(kind: DeviceKind, name: str) -> DeviceInfo:
    return DeviceInfo(kind, id=name, name=name, path=name)


def camera_maker(
    config: AgentConfig,
    nodes: Nodes,
    made: Callable[[VideoSource], None] = lambda _: None,
    *,
    coded: bool = False,
) -> Callable[[Choice], VideoSource]:
    """`made` gets every camera before it is opened; `coded`: H.264 of the wished size is welcome."""
    camera = config.camera
    formats = tuple(PixelFormat[name] for name in camera.formats)

    def make(choice: Choice) -> VideoSource:
        if camera.device == VIRTUAL:
            return VirtualCamera(ident=camera.virtual.ident)
        source = nodes.camera(choice.device, CameraSettings(formats, camera.controls, choice.economy, coded))
        made(source)
        return source

    return make


def microphone_maker(config: MicrophoneConfig, nodes: Nodes) -> Callable[[Choice], AudioSource]:
    def make(choice: Choice) -> AudioSource:
        if config.device == VIRTUAL:
            virtual = config.virtual
            return VirtualMicrophone(
                tone_hz=virtual.tone_hz, speech=virtual.speech, period_ms=config.period_ms
            )
        settings = SoundSettings(config.level, config.controls, config.period_ms)
        return nodes.microphone(choice.device, settings)

    return make


def speaker_maker(
    device: str | list[DeviceSelector], config: SpeakerConfig, nodes: Nodes
) -> Callable[[Choice], AudioOutput]:
    """`device`: the ring may have its own."""

    def make(choice: Choice) -> AudioOutput:
        if device == VIRTUAL:
            return VirtualSpeaker(record=config.virtual.record, period_ms=config.period_ms)
        settings = SoundSettings(config.level, config.controls, config.period_ms, config.card_buffer_ms)
        return nodes.speaker(choice.device, settings)

    return make


async def present_devices(source: UdevSource | None = None) -> dict[str, str]:
    """For each slot `auto` where a device of its kind is plugged in, else `virtual`: the demo's choice."""
    registry = Registry(source or PyudevSource())
    await registry.start()
    await registry.close()
    kinds = (DeviceKind.CAMERA, DeviceKind.MICROPHONE, DeviceKind.SPEAKER)
    return {str(kind): "auto" if ranked(None, registry.present.of(kind)) else VIRTUAL for kind in kinds}
