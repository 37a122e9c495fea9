"""A 2 MB image for tests: busybox, a network, and an init that obeys. Built here, from a package of the machine."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

BUSYBOX = Path("/bin/busybox")

INIT = """#!/bin/sh
mount -t proc proc /proc 2>/dev/null
hostname tiny
ip link set lo up
udhcpc -i eth0 -s /etc/udhcpc.script -b -S -t 5 -A 1 >/dev/null 2>&1 &
trap 'exit 0' PWR TERM INT
while :; do sleep 3600 & wait $!; done
"""
UDHCPC = """#!/bin/sh
case "$1" in
bound|renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/${mask:-24}" dev "$interface"
  [ -n "$router" ] && ip route replace default via "${router%% *}"
  ;;
esac
"""
# An init that does not obey: for the graceful stop that times out.
DEAF = """#!/bin/sh
trap '' PWR TERM INT
while :; do sleep 3600; done
"""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nccp:x:1000:1000::/var/lib/ccp:/bin/sh\n"
    "openclaw:x:1001:1001::/home/openclaw:/bin/sh\n",
    "etc/group": "root:x:0:\nccp:x:1000:\nopenclaw:x:1001:\nagents:x:2000:ccp,openclaw\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "var", "root", "etc/ssh", "home")
# Set apart: busybox has more than 300 applets, and tests use a few.
APPLETS = """
[ addgroup awk cat chmod chown cp cut date dd df echo env fallocate false find free grep head hostname id ifconfig init
ip kill ln ls mkdir mknod mount mv nc nslookup ping ps pwd rm route sed seq sh sleep sort stat sync tail tar test
timeout touch tr true udhcpc umount uname vi wc wget whoami
"""


def busybox(folder: Path) -> bytes:
    """A static busybox: the machine's own, or out of Debian's package, which is only unpacked."""
    if BUSYBOX.exists() and b"ld-linux" not in BUSYBOX.read_bytes():
        return BUSYBOX.read_bytes()
    apt, unpack = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or unpack is None:
        raise FileNotFoundError("no static busybox, and no apt-get to get one with")
    subprocess.run(
        [apt, "download", "-q", "busybox-static"], cwd=folder, check=True, capture_output=True, timeout=120
    )
    package = next(folder.glob("busybox-static*.deb"))
    subprocess.run([unpack, "-x", str(package), str(folder / "unpacked")], check=True, timeout=60)
    return next(path for path in (folder / "unpacked").rglob("bin/busybox")).read_bytes()


def build(
    folder: Path, *, version: str = "0.0.1", properties: dict[str, str] | None = None, deaf: bool = False
) -> Path:
    """The image as one unpacked tar in ``folder``, with these properties."""
    # No two are the same: an image is known by the hash of what it is made of.
    serial = secrets.token_hex(8)
    given = {"description": "ccp test image", "ccp.version": version, "serial": serial, **(properties or {})}
    lines = ["architecture: x86_64" if _machine() == "x86_64" else f"architecture: {_machine()}"]
    lines += [f"creation_date: {int(time.time())}", "properties:"]
    lines += [f'  {key}: "{value}"' for key, value in given.items()]
    path = folder / "tiny.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        _file(tar, "metadata.yaml", "\n".join(lines) + "\n", 0o644)
        _folder(tar, "rootfs")
        for name in ("bin", "sbin", "usr", "usr/bin", "etc", *FOLDERS):
            _folder(tar, f"rootfs/{name}", 0o1777 if name == "tmp" else 0o755)
        _file(tar, "rootfs/bin/busybox", busybox(folder), 0o755)
        for applet in APPLETS.split():
            link = tarfile.TarInfo(f"rootfs/bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        _file(tar, "rootfs/sbin/init", DEAF if deaf else INIT, 0o755)
        _file(tar, "rootfs/etc/udhcpc.script", UDHCPC, 0o755)
        for name, text in FILES.items():
            _file(tar, f"rootfs/{name}", text, 0o644)
    return path


def _machine() -> str:
    return subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()


def _folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _file(tar: tarfile.TarFile, name: str, content: str | bytes, mode: int) -> None:
    data = content.encode() if isinstance(content, str) else content
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
