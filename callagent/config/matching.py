# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hardware profile fits a machine, and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callagent.config.globs import fits
from callagent.config.profile import HardwareProfile
from callagent.config.profiles import ProfileFile

Facts = Mapping[str, Sequence[str]]
"""What the machine says of itself, by the names of `MatchRules.rules`; no text where it says nothing."""

Rank = tuple[int, int, bool]
"""What the most telling rule is about (board 3, processor 2, architecture 1), the number of rules, whether
the file is the site's own. The higher one wins."""
_TELLING = {"cpu": 2, "architecture": 1}
_BOARD = 3


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule of a profile, held against the machine."""

    rule: str
    patterns: tuple[str, ...]
    found: tuple[str, ...]
    holds: bool

    def __str__(self) -> str:
        found = ", ".join(self.found) or "nothing"
        answer = "yes" if self.holds else "no"
        return f"{answer}: {self.rule} is {found}, wanted {' or '.join(self.patterns)}"


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """All rules of a profile."""

    profile: HardwareProfile
    rules: tuple[RuleResult, ...]
    rank: Rank

    @property
    def fits(self) -> bool:
        return all(rule.holds for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Match:
    """`profile` None: no profile fits, or `conflict` names several that fit equally well."""

    profile: HardwareProfile | None
    reasons: tuple[ProfileResult, ...]
    """Every profile, the fitting ones first, by rank."""
    conflict: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What to do about a conflict, empty without."""
        if not self.conflict:
            return ""
        return (
            f"The hardware profiles {' and '.join(self.conflict)} fit this machine equally well; "
            "add a rule to one of them, or name one in hardware.profile"
        )


def matching(files: Sequence[ProfileFile], facts: Facts) -> Match:
    """The profile that fits with the highest rank."""
    results = [_result(file, facts) for file in files]
    results.sort(key=lambda result: (result.fits, result.rank), reverse=True)
    fitting = [result for result in results if result.fits]
    best = [result for result in fitting if result.rank == fitting[0].rank]
    if len(best) > 1:
        return Match(None, tuple(results), tuple(sorted(result.profile.name for result in best)))
    return Match(best[0].profile if best else None, tuple(results))


def _result(file: ProfileFile, facts: Facts) -> ProfileResult:
    rules = file.profile.match.rules
    results = tuple(_held(rule, patterns, facts) for rule, patterns in rules.items())
    telling = max(_TELLING.get(rule, _BOARD) for rule in rules)
    return ProfileResult(file.profile, results, (telling, len(rules), file.own))


def _held(rule: str, patterns: Sequence[str], facts: Facts) -> RuleResult:
    found = tuple(facts.get(rule, ()))
    return RuleResult(rule, tuple(patterns), found, fits(patterns, found))
