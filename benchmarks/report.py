# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark found: ours and its peers side by side."""

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. Less is better unless `more_is_better`."""

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    target: float | None = None
    more_is_better: bool = False
    at_most: dict[str, float] = field(default_factory=dict)
    """The greatest share of a peer's figure that ours may be; a peer that was not measured does not count."""

    def measured(self, prefix: str, found: Mapping[str, float]) -> Self:
        """The same with what was found, under "ours" and the peers' names."""
        peers = {name: value for name, value in found.items() if name != "ours"}
        return dataclasses.replace(self, name=f"{prefix} {self.name}", ours=found["ours"], peers=peers)

    @property
    def ok(self) -> bool | None:
        """Whether all targets were met; None where there is none."""
        met = []
        if self.target is not None:
            met.append(self.ours >= self.target if self.more_is_better else self.ours <= self.target)
        for peer in self.at_most.keys() & self.peers.keys():
            met.append(self.ours <= self.at_most[peer] * self.peers[peer])
        return all(met) if met else None

    @property
    def targets(self) -> str:
        """All of them in words."""
        words = [] if self.target is None else [f"{'≥' if self.more_is_better else '≤'} {self.target:g}"]
        words += [f"≤ {share:g} × {peer}" for peer, share in self.at_most.items() if peer in self.peers]
        return ", ".join(words)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 3),
            "peers": {peer: round(value, 3) for peer, value in self.peers.items()},
            "ratio": {peer: round(self.ours / value, 3) for peer, value in self.peers.items() if value},
            "target": self.target,
            "at_most": self.at_most,
            "ok": self.ok,
        }


@dataclass(frozen=True, slots=True)
class Report:
    benchmark: str
    figures: list[Figure]

    def json(self) -> str:
        body = {
            "benchmark": self.benchmark,
            "commit": commit(),
            "machine": machine(),
            "figures": [figure.as_json() for figure in self.figures],
        }
        return json.dumps(body, indent=2) + "\n"

    def table(self) -> str:
        """Text for a terminal: a row per figure, a column per peer."""
        peers = list(dict.fromkeys(peer for figure in self.figures for peer in figure.peers))
        rows = [["", "unit", "ours", *peers, *(f"ours/{peer}" for peer in peers), "target", "ok"]]
        for figure in self.figures:
            ratio = figure.as_json()["ratio"]
            assert isinstance(ratio, dict)
            rows.append(
                [
                    figure.name,
                    figure.unit,
                    f"{figure.ours:.1f}",
                    *(f"{figure.peers[peer]:.1f}" if peer in figure.peers else "-" for peer in peers),
                    *(f"{ratio[peer]:.2f}" if peer in ratio else "-" for peer in peers),
                    figure.targets,
                    {None: "", True: "yes", False: "NO"}[figure.ok],
                ]
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if n == 0 else cell.rjust(width)
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join([f"{self.benchmark} · {machine()} · {commit()[:12]}", *lines])


def commit() -> str:
    """The commit measured, with `+` when the working tree differs from it; `unknown` outside git."""
    folder = Path(__file__).parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Processor, cores and system in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()
