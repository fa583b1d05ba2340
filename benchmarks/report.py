# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark found: ours and its peers side by side."""

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. Less is better unless `more_is_better`."""

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    target: float | None = None
    more_is_better: bool = False

    @property
    def ok(self) -> bool | None:
        """Whether the target was met; None where there is none."""
        if self.target is None:
            return None
        return self.ours >= self.target if self.more_is_better else self.ours <= self.target

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 3),
            "peers": {peer: round(value, 3) for peer, value in self.peers.items()},
            "ratio": {peer: round(self.ours / value, 3) for peer, value in self.peers.items() if value},
            "target": self.target,
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
                    ""
                    if figure.target is None
                    else f"{'≥' if figure.more_is_better else '≤'} {figure.target:g}",
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
