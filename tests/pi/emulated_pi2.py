"""An emulated Raspberry Pi 2: a processor of 32 bits, and a system of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.pi.emulated import CORES, EmulatedPi
from tests.pi.root import root_folder

BOARD: Final = "Raspberry Pi 2 Model B Rev 1.1"

_CORE: Final = """\
processor\t: {number}
model name\t: ARMv7 Processor rev 5 (v7l)
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm
CPU implementer\t: 0x41
CPU architecture: 7
CPU variant\t: 0x0
CPU part\t: 0xc07
CPU revision\t: 5

"""


@dataclass(slots=True, kw_only=True)
class EmulatedPi2(EmulatedPi):
    """Debian's numpy is installed there, since nobody makes wheels of it for 32-bit ARM."""

    cpu: str = "cortex-a7"

    def _root(self) -> Path:
        return root_folder("armhf")

    def _write_files(self) -> None:
        EmulatedPi._write_files(self)  # super() does not work in a dataclass with slots
        files = self.folder / "files"
        (files / "etc/cpuinfo").write_text(
            "".join(_CORE.format(number=i) for i in range(CORES)) + f"Model\t\t: {BOARD}\n"
        )
        (files / "sys/firmware/devicetree/base/model").write_bytes(BOARD.encode() + b"\0")
