# SPDX-License-Identifier: GPL-3.0-or-later
"""Each board's /sys and /proc on paper (texts from its public documentation) chooses its own profile."""

from pathlib import Path

import pytest

from callagent.config.matching import matching
from callagent.config.profiles import load_profiles
from callagent.devices.board import board_facts

PC = {"proc/cpuinfo": "processor\t: 0\nmodel name\t: {cpu}\n\nprocessor\t: 1\nmodel name\t: {cpu}\n"}
DMI = "sys/class/dmi/id/"
TREE = "proc/device-tree/"
ARM = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n"


def machine(cpu: str, **dmi: str) -> dict[str, str]:
    return {"proc/cpuinfo": PC["proc/cpuinfo"].format(cpu=cpu)} | {
        DMI + name: text + "\n" for name, text in dmi.items()
    }


def board(model: str, *compatible: str) -> dict[str, str]:
    return {
        "proc/cpuinfo": ARM,
        TREE + "model": model + "\0",
        TREE + "compatible": "".join(text + "\0" for text in compatible),
    }


CASES = [
    (
        "laboratory",
        "x86_64",
        machine(
            "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
            sys_vendor="QEMU",
            product_name="Standard PC (Q35 + ICH9, 2009)",
        ),
    ),
    (
        "intel-n100",
        "x86_64",
        machine("Intel(R) N100", sys_vendor="AZW", product_name="EQ", board_name="EQ"),
    ),
    ("intel-n100", "x86_64", machine("Intel(R) N97", sys_vendor="Default string")),
    ("intel-n100", "x86_64", machine("Intel(R) Core(TM) i3-N305")),
    ("generic-x86", "x86_64", machine("Intel(R) Celeron(R) N5105 @ 2.00GHz", sys_vendor="QEMU")),
    ("generic-x86", "x86_64", machine("AMD Ryzen 5 5600U with Radeon Graphics")),
    (
        "generic-x86",
        "x86_64",
        machine("QEMU Virtual CPU", sys_vendor="QEMU", product_name="Standard PC (i440FX + PIIX, 1996)"),
    ),
    ("generic-x86", "x86_64", {}),
    (
        "raspberry-pi-4",
        "aarch64",
        board("Raspberry Pi 4 Model B Rev 1.5", "raspberrypi,4-model-b", "brcm,bcm2711"),
    ),
    (
        "raspberry-pi-5",
        "aarch64",
        board("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b", "brcm,bcm2712"),
    ),
    ("rk3588-rock-5b", "aarch64", board("Radxa ROCK 5 Model B", "radxa,rock-5b", "rockchip,rk3588")),
    (
        "jetson-orin-nano",
        "aarch64",
        board(
            "NVIDIA Jetson Orin Nano Developer Kit",
            "nvidia,p3768-0000+p3767-0005",
            "nvidia,p3767-0005",
            "nvidia,tegra234",
        ),
    ),
    (
        "jetson-orin-nano",
        "aarch64",
        board(
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            "nvidia,p3768-0000+p3767-0005-super",
            "nvidia,tegra234",
        ),
    ),
    (None, "aarch64", board("Raspberry Pi 3 Model B", "raspberrypi,3-model-b", "brcm,bcm2837")),
    (None, "aarch64", board("Orin NX", "nvidia,p3768-0000+p3767-0000", "nvidia,tegra234")),
    (None, "aarch64", board("Radxa ROCK 5 Model B+", "radxa,rock-5b-plus", "rockchip,rk3588")),
    (None, "riscv64", {}),
]


@pytest.mark.parametrize(("expected", "architecture", "files"), CASES)
def test_it_chooses_its_own(
    tmp_path: Path, expected: str | None, architecture: str, files: dict[str, str]
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    match = matching(load_profiles(site=Path("/nonexistent")), board_facts(tmp_path, architecture))
    assert match.conflict == ()
    assert (match.profile and match.profile.name) == expected
    for result in match.reasons:
        assert [rule.holds for rule in result.rules].count(False) == 0 or not result.fits


def test_what_a_machine_says(tmp_path: Path) -> None:
    assert board_facts(tmp_path, "mips") == {"architecture": ["mips"]}
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"a,b\0\xff\0")
    (tmp_path / "proc/device-tree/model").mkdir()
    assert board_facts(tmp_path, "mips")["device_tree.compatible"] == ["a,b", "\N{REPLACEMENT CHARACTER}"]


def test_this_machine_can_be_asked() -> None:
    facts = board_facts()
    assert facts["architecture"]
    assert all(isinstance(text, str) and text for texts in facts.values() for text in texts)
