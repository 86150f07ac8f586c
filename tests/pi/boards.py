"""The Raspberry Pis that are emulated: what their programs see of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board, its processor, and the system that it has."""

    model: str
    cpu: str  # as qemu calls it; its default has features that no Pi has
    core: str  # of /proc/cpuinfo, after the line with its number
    architecture: str = "arm64"  # as Debian calls it
    qemu: str = "qemu-aarch64"


_CORE_64: Final = """\
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: {revision}
"""

BOARDS: Final = {
    "4": Board(
        model="Raspberry Pi 4 Model B Rev 1.4",
        cpu="cortex-a72",
        core=_CORE_64.format(features="fp asimd evtstrm crc32 cpuid", part="0xd08", revision=3),
    ),
    "5": Board(
        model="Raspberry Pi 5 Model B Rev 1.0",
        cpu="cortex-a76",
        core=_CORE_64.format(
            features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid "
            "asimdrdm lrcpc dcpop asimddp",
            part="0xd0b",
            revision=1,
        ),
    ),
    "2": Board(  # 32 bits
        model="Raspberry Pi 2 Model B Rev 1.1",
        cpu="cortex-a7",
        core="""\
model name\t: ARMv7 Processor rev 5 (v7l)
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm
CPU implementer\t: 0x41
CPU architecture: 7
CPU variant\t: 0x0
CPU part\t: 0xc07
CPU revision\t: 5
""",
        architecture="armhf",
        qemu="qemu-arm",
    ),
}
