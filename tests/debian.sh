# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced: Debian roots for tests, made with this machine's own mirror, certificates and package index,
# all of them read at run time and never written down.

# debian_root SUITE FOLDER PACKAGES: a minimal root; its apt works as this machine's does.
debian_root() {
    local suite=$1 root=$2 packages=$3 own sources work
    own=$(. /etc/os-release && echo "$VERSION_CODENAME")
    for sources in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ -s "$sources" ] && break
    done
    work=$(mktemp -d)
    sed "s/\b$own\b/$suite/g" "$sources" >"$work/${sources##*/}"
    # How this machine's apt reaches its mirror: proxies, time-outs, certificates.
    apt-config dump | grep -E '^Acquire::(http|https|Check|Retries|AllowInsecure)' >"$work/apt.conf" || true
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt="$work/apt.conf" \
        --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --include="$packages" "$suite" "$root" - <"$work/${sources##*/}"
    cp "$work/apt.conf" "$root/etc/apt/apt.conf.d/99-from-the-machine"
    rm -rf "$work"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp -r /usr/local/share/ca-certificates "$root/usr/local/share/" 2>/dev/null || true
    [ ! -x "$root/usr/sbin/update-ca-certificates" ] || chroot "$root" update-ca-certificates >/dev/null 2>&1
}

# pip_settings ROOT: fills the array `settings` with pip's settings of this machine, for `env` inside the
# root, and binds the local folders they name into it. Call it in a mount name space of your own.
pip_settings() {
    local root=$1 setting folder
    settings=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
    while IFS= read -r -d '' setting; do settings+=("$setting"); done < <(
        python3 -m pip config list 2>/dev/null | python3 -c '
import ast, re, sys
found = {}
for key, value in re.findall(r"^\S*?\.([a-z-]+)=(\x27(?:[^\x27\\]|\\.)*\x27)$", sys.stdin.read(), re.M):
    found["PIP_" + key.upper().replace("-", "_")] = " ".join(ast.literal_eval(value).split())
for name, value in found.items():
    sys.stdout.write(f"{name}={value}\0")
')
    for folder in $(printf '%s\n' "${settings[@]}" | grep -E '^PIP_(FIND|INDEX|EXTRA)' | cut -d= -f2- | tr ' ' '\n' |
        sed -n 's,^\(file://\)\?\(/.*\),\2,p'); do
        # The pages of an index (PEP 503: .../simple) lead to files beside them.
        [ "${folder##*/}" = simple ] && folder=${folder%/simple}
        [ -e "$folder" ] || continue
        mkdir -p "$root$folder"
        mount --bind -o ro "$folder" "$root$folder"
    done
}
