# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the wanted processing this machine has, and what takes the place of the rest."""

from callagent.media.audio_processing import rnnoise, webrtc
from callagent.media.audio_processing.chain import ProcessingChain
from callagent.media.audio_processing.contract import (
    EchoCancellation,
    Effort,
    NoiseSuppression,
    ProcessingError,
    ProcessingSettings,
)
from callagent.media.audio_processing.half_duplex import Ducker
from callagent.media.audio_processing.linear import LinearCanceller
from callagent.media.audio_processing.residual import ResidualGate

NO_CANCELLER = "There is no echo canceller on this machine: half duplex"
NO_SUPPRESSION = "There is no noise suppression and no gain control on this machine"
TOO_SLOW = {
    Effort.FILTER: "This machine is too slow for RNNoise: noise suppression is WebRTC's, normal",
    Effort.MODULE: "This machine is too slow for the linear echo canceller: WebRTC's cancels alone",
    Effort.HALF_DUPLEX: "This machine is too slow for echo cancellation and noise suppression",
}
NO_NETWORK = "There is no RNNoise on this machine: noise suppression is WebRTC's, normal"


def missing(settings: ProcessingSettings, *, apm: bool, network: bool) -> list[str]:
    """One sentence for each wish that cannot be fulfilled with what is there."""
    found = []
    if settings.echo_cancellation is EchoCancellation.AUTO and not apm:
        found.append(NO_CANCELLER)
    strong = settings.noise_suppression is NoiseSuppression.STRONG
    plain = settings.noise_suppression is NoiseSuppression.NORMAL
    if not apm and (plain or settings.gain_control or (strong and not network)):
        found.append(NO_SUPPRESSION)
    elif strong and not network:
        found.append(NO_NETWORK)
    return found


def missing_here(settings: ProcessingSettings) -> list[str]:
    """The same by what is installed, without loading any of it."""
    return missing(settings, apm=webrtc.installed(), network=rnnoise.installed())


def lighter(settings: ProcessingSettings, effort: Effort) -> Effort | None:
    """The next effort that leaves something out; None when there is nothing left to be left out."""
    cancelled = settings.echo_cancellation is EchoCancellation.AUTO
    if effort is Effort.NETWORK and settings.noise_suppression is NoiseSuppression.STRONG:
        return Effort.FILTER
    if effort >= Effort.FILTER and cancelled:
        return Effort.MODULE
    return Effort.HALF_DUPLEX if effort > Effort.HALF_DUPLEX and _wants_module(settings) else None


def _wants_module(settings: ProcessingSettings) -> bool:
    cancelled = settings.echo_cancellation is EchoCancellation.AUTO
    noise = settings.noise_suppression is not NoiseSuppression.OFF
    return cancelled or noise or settings.gain_control or settings.high_pass


def make_chain(
    settings: ProcessingSettings, effort: Effort = Effort.NETWORK
) -> tuple[ProcessingChain, list[str]]:
    """The processing, and why it is not all that is wanted. Loads libraries: never on the loop."""
    if effort is Effort.HALF_DUPLEX:
        chain = without_libraries(settings)
        return chain, [f"{TOO_SLOW[effort]}: {chain.name}"]
    reasons: list[str] = []
    denoiser = None
    if settings.noise_suppression is NoiseSuppression.STRONG and effort is Effort.NETWORK:
        try:
            denoiser = rnnoise.RnNoise()
        except ProcessingError as error:
            reasons.append(str(error))
    cancelled = settings.echo_cancellation is EchoCancellation.AUTO
    plain_noise = settings.noise_suppression is not NoiseSuppression.OFF and denoiser is None
    apm = None
    if cancelled or plain_noise or settings.gain_control or settings.high_pass:
        try:
            apm = webrtc.WebRtcApm(
                echo=cancelled,
                noise=plain_noise,
                gain=settings.gain_control,
                high_pass=settings.high_pass,
            )
        except ProcessingError as error:
            reasons.append(str(error))
    chain = _assemble(settings, apm, denoiser, linear=effort >= Effort.FILTER)
    network = denoiser is not None or effort is not Effort.NETWORK
    sentences = missing(settings, apm=apm is not None, network=network)
    problems = [f"{sentence} ({'; '.join(reasons)})" for sentence in sentences]
    return chain, problems if effort is Effort.NETWORK else [*problems, TOO_SLOW[effort]]


def without_libraries(settings: ProcessingSettings) -> ProcessingChain:
    """What always works: for when a library failed while it ran."""
    return _assemble(settings, None, None, linear=False)


def _assemble(
    settings: ProcessingSettings,
    apm: webrtc.WebRtcApm | None,
    denoiser: rnnoise.RnNoise | None,
    *,
    linear: bool,
) -> ProcessingChain:
    cancelled = settings.echo_cancellation is EchoCancellation.AUTO and apm is not None
    half = settings.echo_cancellation is not EchoCancellation.OFF and not cancelled
    return ProcessingChain(
        linear=LinearCanceller() if cancelled and linear else None,
        apm=apm,
        denoiser=denoiser,
        gate=ResidualGate() if cancelled and settings.gain_control else None,
        ducker=Ducker() if half else None,
    )
