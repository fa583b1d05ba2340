#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a set of kernel modules with what they depend on, decompressed: udev then loads little, and quickly.

pick_modules.py ALL EXTRA LIST DEST   ALL: a full /lib/modules/VERSION; EXTRA: a folder of further .ko
                                      files; LIST: a file with the names wanted; DEST: where to
pick_modules.py --flat DEST NAME...   print the files NAME... need, in the order of loading
"""

import lzma
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

Dependencies = dict[str, tuple[str, list[str]]]
"""By module name: its file and the names it depends on."""


def name_of(path: str) -> str:
    return PurePath(path).name.split(".ko")[0].replace("-", "_")


def dependencies(root: Path) -> Dependencies:
    """modules.dep, as depmod writes it."""
    found = {}
    for line in (root / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        found[name_of(path)] = (path, [name_of(each) for each in rest.split()])
    return found


def soft_dependencies(root: Path) -> dict[str, list[str]]:
    """modules.softdep: what a module asks for at run time, such as a checksum."""
    found: dict[str, list[str]] = {}
    for line in (root / "modules.softdep").read_text().splitlines():
        words = [word.replace("-", "_") for word in line.split()]
        if len(words) > 2 and words[0] == "softdep":
            found.setdefault(words[1], []).extend(word for word in words[2:] if not word.endswith(":"))
    return found


def in_loading_order(names: Iterable[str], needs: Dependencies, softly: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in needs:
            return
        seen.add(name)
        for other in (*reversed(needs[name][1]), *softly.get(name, ())):
            visit(other)
        order.append(name)

    for name in names:
        visit(name)
    return order


def own_needs(module: Path) -> list[str]:
    """What a module that depmod never saw depends on: the `depends=` of its .modinfo section."""
    data = module.read_bytes()
    start = data.find(b"\0depends=") + len(b"\0depends=")
    text = data[start : data.index(b"\0", start)].decode()
    return [name.replace("-", "_") for name in text.split(",") if name]


def pick(everything: Path, extra: Path, listing: Path, target: Path) -> None:
    lines = [line for line in listing.read_text().splitlines() if not line.startswith("#")]
    wanted = [word.replace("-", "_") for line in lines for word in line.split()]
    shutil.rmtree(target, ignore_errors=True)
    (target / "extra").mkdir(parents=True)
    needs = dependencies(everything)
    built_in = {name_of(path) for path in (everything / "modules.builtin").read_text().split()}
    extras = {name_of(path.name): path for path in extra.glob("*.ko")}
    needs |= {name: (str(path), own_needs(path)) for name, path in extras.items()}
    missing = [name for name in wanted if name not in needs and name not in built_in]
    if missing:
        raise SystemExit(f"this kernel has no {' '.join(missing)}")
    for name in in_loading_order(wanted, needs, soft_dependencies(everything)):
        if name in extras:
            shutil.copy(extras[name], target / "extra" / f"{name}.ko")
            continue
        source = everything / needs[name][0]
        copy = target / needs[name][0].removesuffix(".xz")
        copy.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        copy.write_bytes(lzma.decompress(data) if source.suffix == ".xz" else data)
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (everything / index).exists():
            shutil.copy(everything / index, target)


def main() -> None:
    if sys.argv[1] == "--flat":
        root = Path(sys.argv[2])
        needs = dependencies(root)
        for name in in_loading_order(sys.argv[3:], needs, soft_dependencies(root)):
            sys.stdout.write(f"{root / needs[name][0]}\n")
    else:
        pick(*map(Path, sys.argv[1:]))


if __name__ == "__main__":
    main()
