# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware profiles: the shipped ones, the site's own, and messages about broken ones."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.config import ConfigError
from callagent.config.matching import matching
from callagent.config.profile import HardwareProfile
from callagent.config.profiles import ProfileFile, load_profiles, shipped_folder

NAMES = {
    "generic-x86",
    "intel-n100",
    "jetson-orin-nano",
    "laboratory",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "rk3588-rock-5b",
}
MINIMAL = "name: {name}\ntitle: A box\nmatch: {{architecture: {architecture}}}\n"


def written(folder: Path, name: str, text: str = "", *, architecture: str = "x86_64") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text or MINIMAL.format(name=name, architecture=architecture))
    return path


def shipped() -> dict[str, HardwareProfile]:
    return {file.profile.name: file.profile for file in load_profiles(site=Path("/nonexistent"))}


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_profiles(folder, Path("/nonexistent"))
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_every_shipped_profile_loads_and_only_what_was_run_says_so() -> None:
    found = shipped()
    assert set(found) == NAMES
    assert {name for name, profile in found.items() if not profile.untested} == {"laboratory"}
    for name, profile in found.items():
        encoders = [encoder.name for encoder in profile.encoders]
        assert encoders[0] == "camera", name
        assert encoders[-2:] == ["libx264", "libvpx"], name
        assert profile.sources or not profile.gpio.pins, name


def test_boards_without_an_encoder_name_none_of_hardware() -> None:
    for name in ("raspberry-pi-5", "jetson-orin-nano"):
        encoders = {encoder.name for encoder in shipped()[name].encoders}
        assert encoders <= {"camera", "x264enc", "libx264", "libvpx"}


def test_the_headers_have_each_line_once_and_no_power_pin() -> None:
    ground_and_power = {"1", "2", "4", "6", "9", "14", "17", "20", "25", "30", "34", "39"}
    for name, profile in shipped().items():
        pins = profile.gpio.pins
        lines = [(pin.chip or profile.gpio.chip, pin.line) for pin in pins.values()]
        assert len(set(lines)) == len(lines), name
        assert all(chip for chip, _ in lines), name
        assert not ground_and_power & set(pins), name
        assert all(int(number) <= 40 for number in pins), name


def test_the_raspberry_pis_header_is_the_one_gpiozero_knows() -> None:
    """Two tables of the same public documentation, typed by different people."""
    from gpiozero.pins.data import PI4_J8, PI5_J8

    for name, (_, _, header) in (("raspberry-pi-4", PI4_J8), ("raspberry-pi-5", PI5_J8)):
        known = {str(number): pin["gpio"] for number, pin in header.items() if "gpio" in pin}
        ours = {number: f"GPIO{pin.line}" for number, pin in shipped()[name].gpio.pins.items()}
        assert ours == {number: line for number, line in known.items() if number not in ("27", "28")}


def test_a_pin_by_its_place_on_the_header() -> None:
    rock, pi, jetson = (
        shipped()[name].gpio for name in ("rk3588-rock-5b", "raspberry-pi-4", "jetson-orin-nano")
    )
    pin = rock.header_pin("PIN_11")
    assert pin is not None
    assert (pin.chip, pin.line) == ("gpio3", 17)
    pin = pi.header_pin("PIN_11")
    assert pin is not None
    assert (pin.chip, pin.line) == ("pinctrl-bcm2711", 17)
    pin = jetson.header_pin("PIN_7")
    assert pin is not None
    assert (pin.chip, pin.line) == ("tegra234-gpio", "PAC.06")
    assert pi.header_pin("PIN_1") is None
    assert pi.header_pin("11") is None


def test_a_file_of_the_site_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = written(tmp_path / "etc", "raspberry-pi-4", architecture="aarch64")
    written(tmp_path / "etc", "our-box")
    (tmp_path / "etc" / "README").write_text("not a profile")
    files = {file.profile.name: file for file in load_profiles(site=tmp_path / "etc")}
    assert set(files) == NAMES | {"our-box"}
    assert (files["raspberry-pi-4"].path, files["raspberry-pi-4"].own) == (path, True)
    assert files["raspberry-pi-4"].profile.title == "A box"
    assert not files["raspberry-pi-5"].own


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", r"box.yaml:1:1: name: is required: the name of a hardware profile.*"),
        ("name: bix\n", r"box.yaml:1:7: name: must be box, as the file is called, not 'bix'"),
        ("name: Box\n", r"box.yaml:1:7: name: must be the name of a hardware profile: .* not 'Box'"),
        ("name: box\ntitel: B\n", r"box.yaml:2:1: titel: unknown key; did you mean title\? .*"),
        (
            "name: box\ntitle: B\nmatch: {}\n",
            r"box.yaml:3:8: match: needs at least one rule, or the profile would never be chosen",
        ),
        (
            "name: box\ntitle: B\nmatch:\n  dmi: {vendor: Q}\n",
            r"box.yaml:4:9: match.dmi.vendor: unknown key; did you mean .*sys_vendor.*",
        ),
        (
            MINIMAL.format(name="box", architecture="a") + "encoders: [x265]\n",
            r"box.yaml:4:12: encoders.0.*: must be one of camera, h264_v4l2m2m, .* not 'x265'",
        ),
        (
            MINIMAL.format(name="box", architecture="a") + "encoders: [libx264, {name: libx264}]\n",
            r"box.yaml:4:11: encoders: names an encoder twice",
        ),
        (
            MINIMAL.format(name="box", architecture="a")
            + "sources: [https://a.example]\ngpio: {pins: {x: 1}}\n",
            r"box.yaml:5:14: gpio.pins: x is no pin: they are numbered from 1 to 99",
        ),
        (
            MINIMAL.format(name="box", architecture="a") + "gpio: {pins: {3: 1}}\n",
            r"box.yaml:.*: sources: is required: where do the header's pins stand\?",
        ),
        (
            MINIMAL.format(name="box", architecture="a") + "sound: {speaker: {level: 101}}\n",
            r"box.yaml:4:26: sound.speaker.level: must be a whole number from 0 to 100, not 101",
        ),
    ],
)
def test_a_broken_one_is_named_by_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    written(tmp_path / "shipped", "box", text or "\n")
    found = problems(tmp_path / "shipped")
    assert any(re.fullmatch(expected, problem) for problem in found), found


def test_the_names_with_a_meaning_are_no_profiles_and_all_mistakes_come_at_once(tmp_path: Path) -> None:
    written(tmp_path / "p", "auto")
    written(tmp_path / "p", "none")
    (tmp_path / "p" / "gone.yaml").symlink_to(tmp_path / "nowhere")
    found = problems(tmp_path / "p")
    assert [problem.partition(": ")[0].partition(":")[0] for problem in found] == [
        "auto.yaml",
        "gone.yaml",
        "none.yaml",
    ]
    assert "must not be auto" in found[0]
    assert "cannot be read: No such file or directory" in found[1]


def profile(name: str, match: dict[str, object], *, own: bool = False) -> ProfileFile:
    made = HardwareProfile.model_validate({"name": name, "title": name, "match": match})
    return ProfileFile(made, Path(f"/{name}.yaml"), own)


PC = {
    "architecture": ["x86_64"],
    "cpu": ["Intel(R) N100"],
    "dmi.sys_vendor": ["Maker"],
    "dmi.board_name": ["B1"],
}


def test_the_more_telling_rule_wins_then_the_number_of_rules() -> None:
    plain = profile("plain", {"architecture": "x86_64"})
    by_cpu = profile("by-cpu", {"cpu": "intel*"})
    by_cpu_and_more = profile("by-cpu-and-more", {"cpu": "intel*", "architecture": "*"})
    by_maker = profile("by-maker", {"dmi": {"sys_vendor": "maker"}})
    other = profile("other", {"dmi": {"sys_vendor": "maker", "board_name": "B2"}})
    order = [by_maker, by_cpu_and_more, by_cpu, plain]
    for count in range(len(order)):
        match = matching([other, *reversed(order[count:])], PC)
        assert match.profile is order[count].profile
        assert [result.profile.name for result in match.reasons if result.fits] == [
            file.profile.name for file in order[count:]
        ]
    rules = {rule.rule: rule.holds for rule in match.reasons[-1].rules}
    assert rules == {"dmi.sys_vendor": True, "dmi.board_name": False}
    assert "no: dmi.board_name is B1, wanted B2" in map(str, match.reasons[-1].rules)


def test_equal_rank_is_a_conflict_by_name_but_the_sites_own_goes_first() -> None:
    first, second = profile("one", {"cpu": "Intel*"}), profile("two", {"cpu": "*N100"})
    match = matching([first, second], PC)
    assert (match.profile, match.conflict) == (None, ("one", "two"))
    assert "one and two fit this machine equally well" in match.problem
    assert matching([first, profile("two", {"cpu": "*N100"}, own=True)], PC).profile is not first.profile
    assert matching([], PC).profile is None


@given(
    st.dictionaries(
        st.sampled_from([*PC, "device_tree.model", "device_tree.compatible"]),
        st.lists(st.text(max_size=30), max_size=3),
    )
)
def test_whatever_a_machine_says_at_most_one_shipped_profile_is_chosen(facts: dict[str, list[str]]) -> None:
    match = matching(load_profiles(site=Path("/nonexistent")), facts)
    assert match.conflict == ()
    if match.profile is not None:
        assert match.reasons[0].profile is match.profile
        assert match.reasons[0].fits


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    text = (shipped_folder().parent / "docs/hardware-profiles.md").read_text()
    (example,) = re.findall(r"```yaml\n(name: our-kiosk.*?)```", text, re.DOTALL)
    written(tmp_path / "p", "our-kiosk", example)
    (file,) = load_profiles(tmp_path / "p", Path("/nonexistent"))
    assert file.profile.untested
    assert file.profile.sound.speaker.level == 85


def test_they_are_found_in_a_checkout() -> None:
    assert {path.stem for path in shipped_folder().glob("*.yaml")} == NAMES
