# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a device, and who may."""

import os
import subprocess
import sys
from pathlib import Path

from callagent.devices.alsa_cards import held_by as held_by_of_pcm
from callagent.devices.alsa_cards import pcm_node
from callagent.devices.alsa_mixer import card_of
from callagent.devices.holders import group_hint, held_by, holders


def test_a_real_process_that_holds_a_file(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch()
    assert holders(str(node)) == []
    assert held_by(str(node)) == "another program"
    program = "import sys; f = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    link = tmp_path / "by-id"
    link.symlink_to(node)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(node)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        (holder,) = holders(str(link))
        assert holder.pid == other.pid
        assert "python" in holder.name
        assert str(other.pid) in held_by(str(node))
        other.communicate()


def test_what_to_do_to_be_permitted(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch(0o660)
    os.chown(node, -1, 44 if os.geteuid() == 0 else os.getegid())
    hint = group_hint(str(node))
    assert "usermod -aG" in hint or "root alone" in hint
    node.chmod(0o600)
    assert "root alone" in group_hint(str(node))
    assert group_hint(str(tmp_path / "absent")) == ""


def proc(folder: Path, *, owner: str, name: str) -> Path:
    pcm = folder / "asound/card1/pcm0c/sub0"
    pcm.mkdir(parents=True)
    (pcm / "status").write_text(f"state: RUNNING\nowner_pid   : {owner}\n")
    (folder / "asound/Headset").symlink_to("card1")
    (folder / owner).mkdir()
    (folder / owner / "comm").write_text(name + "\n")
    return folder


def test_who_has_a_pcm_and_what_a_sound_server_means(tmp_path: Path) -> None:
    paper = proc(tmp_path / "a", owner="812", name="obs")
    assert held_by_of_pcm("hw:CARD=Headset,DEV=0", True, paper) == "obs (pid 812)"
    assert held_by_of_pcm("hw:CARD=Headset,DEV=0", False, paper) == "another program"
    server = proc(tmp_path / "b", owner="813", name="pipewire")
    text = held_by_of_pcm("plughw:1,0", True, server)
    assert text.startswith("pipewire (pid 813); stop it for that user")
    assert held_by_of_pcm("default", True, server) == "another program"


def test_the_node_behind_a_pcm_name(tmp_path: Path) -> None:
    paper = proc(tmp_path, owner="1", name="x")
    assert pcm_node("hw:CARD=Headset,DEV=3", False, paper) == "/dev/snd/pcmC1D3p"
    assert pcm_node("hw:1,2", True, paper) == "/dev/snd/pcmC1D2c"
    assert pcm_node("hw:Nobody", True, paper) is None
    assert [card_of(name) for name in ("hw:CARD=A,DEV=0", "plughw:B,1", "hw:2", "default", "null")] == [
        *("A", "B", "2", None, None)
    ]
