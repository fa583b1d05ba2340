# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hardware profile is used, and why. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from callagent.agent.doctor.checks import Check, ok, problem, warning
from callagent.agent.hardware import choose
from callagent.config import AgentConfig, HardwareProfile
from callagent.config.matching import Match, matching
from callagent.config.panel import LineConfig
from callagent.config.profile import AUTO, NO_PROFILE, PIN_PREFIX
from callagent.config.profiles import SITE_FOLDER, ProfileFile
from callagent.protocol.errors import CallAgentError


def board_checks(
    files: Sequence[ProfileFile], facts: Mapping[str, Sequence[str]], config: AgentConfig | None
) -> list[Check]:
    """`config` None: it cannot be read; the profile is then the one that fits."""
    wanted = AUTO if config is None else config.hardware.profile
    match = matching(files, facts)
    said = "; ".join(f"{name} {', '.join(texts)}" for name, texts in facts.items())
    checks = [ok(f"this machine says: {said}")]
    try:
        profile = choose(wanted, files, facts)
    except CallAgentError as error:
        remedy = f"correct hardware.profile, or the files in {SITE_FOLDER}"
        return [*checks, problem(error.message, remedy), *_reasons(match)]
    checks.append(_chosen(profile, wanted))
    if profile is not None and config is not None:
        checks += _unknown_pins(config, profile)
    return [*checks, *_reasons(match)]


def _chosen(profile: HardwareProfile | None, wanted: str) -> Check:
    if profile is None and wanted == NO_PROFILE:
        return ok("hardware.profile is none: no profile is used")
    if profile is None:
        remedy = f"write one in {SITE_FOLDER}, or set hardware.profile: none if nothing is missing"
        return warning("no hardware profile fits this machine", remedy)
    how = "it fits best" if wanted == AUTO else "the configuration names it"
    text = f"hardware profile {profile.name} ({profile.title}): {how}"
    if profile.untested:
        remedy = "try camera, sound and buttons, and tell us: its values are those of the documentation"
        return warning(f"{text}; untested, nobody has run callagent on such a board yet", remedy)
    return ok(text)


def _reasons(match: Match) -> Iterator[Check]:
    for result in match.reasons:
        answer = "fits" if result.fits else "does not fit"
        rules = "; ".join(map(str, result.rules))
        yield ok(f"profile {result.profile.name} {answer}: {rules}")


def _unknown_pins(config: AgentConfig, profile: HardwareProfile) -> Iterator[Check]:
    parts = [(f"button {each.name}", each.gpio) for each in config.buttons]
    parts += [(f"light {each.name}", each.gpio) for each in config.lights]
    parts += [("door", config.door.gpio)] if config.door is not None else []
    for what, line in parts:
        if line is not None and config.gpio.chip is None and _is_unknown(line, profile):
            known = ", ".join(f"{PIN_PREFIX}{pin}" for pin in profile.gpio.pins) or "none"
            yield warning(
                f"{what}: the header of {profile.name} has no line {line.line}", f"it has these: {known}"
            )


def _is_unknown(line: LineConfig, profile: HardwareProfile) -> bool:
    return (
        line.chip is None
        and isinstance(line.line, str)
        and line.line.startswith(PIN_PREFIX)
        and profile.gpio.header_pin(line.line) is None
    )
