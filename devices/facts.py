"""Facts about a machine and its state, parsed from files of Linux on the target.

The payload returns only texts; this module parses them, so that the same code serves this machine,
a Raspberry Pi and a phone.  Nothing here raises: a fact that is not available is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
Texts = Mapping[str, str]  # file or command -> its text

#: A target that has this file is emulated.  The first line names the emulator; a line
#: "counter: PROGRAM" names a program there, started as `PROGRAM FILE COMMAND…`, that writes to FILE
#: how many instructions COMMAND executed up to each mark (edgernn/runtime/runner/system.h).
MARKER: Final = "/etc/edgernn-emulated"
_COMPATIBLE: Final = "/proc/device-tree/compatible"
#: Files that describe a machine.  The device tree is first: not every kernel writes a Model line
#: into cpuinfo.
IDENTITY_FILES: Final = (
    "/sys/firmware/devicetree/base/model",
    "/proc/device-tree/model",
    _COMPATIBLE,
    "/proc/cpuinfo",
    "/etc/os-release",
    MARKER,
    "/proc/1/cmdline",
)
#: Android: properties that identify a phone.
IDENTITY_COMMANDS: Final = (
    ("getprop", "ro.product.model"),
    ("getprop", "ro.build.fingerprint"),
    ("getprop", "ro.build.version.release"),
    ("getprop", "ro.product.cpu.abilist"),
    ("getprop", "ro.soc.model"),
    ("getprop", "ro.board.platform"),
    ("getprop", "ro.kernel.qemu"),
    ("getprop", "ro.boot.qemu"),
    ("getprop", "ro.hardware"),
)
_CPU: Final = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq"
_THROTTLED: Final = "/sys/devices/platform/soc/soc:firmware/get_throttled"
#: Files that describe the machine's present state.
CONDITION_FILES: Final = (
    "/proc/stat",
    "/proc/loadavg",
    f"{_CPU}/scaling_governor",
    f"{_CPU}/scaling_cur_freq",
    "/sys/class/thermal/thermal_zone[0-9]*/temp",
    _THROTTLED,
)
#: Raspberry Pi: under-voltage and throttling, from the firmware.  Android: the battery.
CONDITION_COMMANDS: Final = (("vcgencmd", "get_throttled"), ("dumpsys", "battery"))

#: CPU features that decide which kernels a runtime uses.
_ISA: Final = (
    *("avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "amx_int8"),
    *("neon", "asimd", "asimddp", "asimdhp", "i8mm", "sve", "sve2", "sme"),
)

#: "CPU implementer" and "CPU part" of /proc/cpuinfo, which has no model name on ARM.
_ARM_CORES: Final = {
    ("0x41", "0xb76"): "ARM1176",
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
}

LOW_BATTERY: Final = 0.2

_USER_HZ: Final = 100  # the unit of /proc/stat in user space, on every architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Facts about the machine that do not change while it runs."""

    board: str | None  # "Raspberry Pi 4 Model B Rev 1.4"
    cpu: str | None  # "AMD EPYC 7763", or on ARM the kinds of cores: "Cortex-A72"
    isa: tuple[str, ...]
    system: str | None  # "Debian GNU/Linux 12 (bookworm)"
    virtual: bool  # a hypervisor shares the CPU with others
    soc: str | None = None  # "BCM2711", "SM8550"
    abis: tuple[str, ...] = ()  # of programs for Android, the best first: "arm64-v8a"
    emulated: str | None = None  # why this machine is known to be emulated
    counter: str | None = None  # a program on the target that counts executed instructions


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """The throttling state of a Raspberry Pi (vcgencmd get_throttled)."""

    word: int

    @property
    def under_voltage(self) -> bool:
        return bool(self.word & 0x1)

    @property
    def slowed(self) -> bool:
        """Frequency capped, throttled, or at the soft temperature limit, now."""
        return bool(self.word & 0xE)

    @property
    def under_voltage_happened(self) -> bool:
        """Since boot."""
        return bool(self.word & 0x1_0000)

    @property
    def slowing_happened(self) -> bool:
        """Since boot."""
        return bool(self.word & 0xE_0000)

    @property
    def happened(self) -> bool:
        """Any of these since boot."""
        return bool(self.word >> 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """The battery of a phone."""

    level: float  # 0 to 1
    charging: bool  # or full, and plugged in
    temperature_c: float | None

    @property
    def low(self) -> bool:
        """So low that phones slow down to save energy."""
        return self.level <= LOW_BATTERY and not self.charging


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The state of the machine at one moment."""

    governors: tuple[str, ...]  # distinct ones, over all cores
    frequencies_mhz: tuple[float, ...]  # per core
    temperature_c: float | None  # the hottest zone
    throttling: Throttling | None
    load: float | None  # mean number of runnable tasks over the last minute
    busy_s: float | None  # CPU seconds since boot, of all processes on all cores
    stolen_s: float | None  # CPU seconds that a hypervisor gave to others
    battery: Battery | None = None


def identity(texts: Texts) -> Identity:
    cpuinfo = texts.get("/proc/cpuinfo", "")
    return Identity(
        board=_board(texts, cpuinfo),
        cpu=_cpu(cpuinfo),
        isa=_isa(cpuinfo),
        system=_system(texts),
        virtual="hypervisor" in cpuinfo.split(),
        soc=_soc(texts),
        abis=tuple(filter(None, _property(texts, "ro.product.cpu.abilist").split(","))),
        emulated=_emulated(texts),
        counter=_field(texts.get(MARKER, ""), "counter"),
    )


def conditions(texts: Texts) -> Conditions:
    temperatures = _numbers(texts, "/temp")
    busy_s, stolen_s = _cpu_seconds(texts.get("/proc/stat", ""))
    return Conditions(
        governors=tuple(dict.fromkeys(text.strip() for text in _ending(texts, "governor"))),
        frequencies_mhz=tuple(khz / 1e3 for khz in _numbers(texts, "scaling_cur_freq")),
        temperature_c=max(temperatures) / 1e3 if temperatures else None,
        throttling=_throttling(texts),
        load=_first(map(float, re.findall(r"^\d+\.\d+", texts.get("/proc/loadavg", "")))),
        busy_s=busy_s,
        stolen_s=stolen_s,
        battery=_battery(texts.get("dumpsys battery", "")),
    )


def _emulated(texts: Texts) -> str | None:
    """Times on an emulator do not show the times of the emulated device, not even their order."""
    if MARKER in texts:
        return texts[MARKER].strip().partition("\n")[0] or "marked as such"
    if "qemu-" in texts.get("/proc/1/cmdline", ""):
        return "its first process runs in qemu"
    if any(_property(texts, name) in values for name, values in _QEMU_PROPERTIES.items()):
        return "Android emulator"
    return None


_QEMU_PROPERTIES: Final = {
    "ro.kernel.qemu": ("1",),
    "ro.boot.qemu": ("1",),
    "ro.hardware": ("ranchu", "goldfish"),
}


def _system(texts: Texts) -> str | None:
    if fingerprint := _property(texts, "ro.build.fingerprint"):
        release = _property(texts, "ro.build.version.release")
        return " ".join(filter(None, ("Android", release, f"({fingerprint})")))
    release = texts.get("/etc/os-release", "")
    return _first(re.findall(r'^PRETTY_NAME="?([^"\n]*)', release, re.MULTILINE))


def _board(texts: Texts, cpuinfo: str) -> str | None:
    if model := _property(texts, "ro.product.model"):
        return model
    for name in IDENTITY_FILES[:2]:
        if name in texts:
            return texts[name].rstrip("\0\n")
    return _field(cpuinfo, "Model")


def _soc(texts: Texts) -> str | None:
    """The name of the SoC; before Android 12, the platform of the system."""
    for name in ("ro.soc.model", "ro.board.platform"):
        if named := _property(texts, name):
            return named
    # "raspberrypi,4-model-b\0brcm,bcm2711\0": from the board to the processor.
    compatible = texts.get(_COMPATIBLE, "").rstrip("\0\n").split("\0")
    return compatible[-1].rpartition(",")[2].upper() or None


def _property(texts: Texts, name: str) -> str:
    return texts.get(f"getprop {name}", "").strip()


def _cpu(cpuinfo: str) -> str | None:
    # 32-bit ARM has a "model name" too, but it is only "ARMv7 Processor".
    parts = re.findall(
        r"^CPU implementer\s*:\s*(\S+)$.*?^CPU part\s*:\s*(\S+)$", cpuinfo, re.MULTILINE | re.DOTALL
    )
    if parts:
        cores = dict.fromkeys(_ARM_CORES.get(part, f"ARM core {'/'.join(part)}") for part in parts)
        return " + ".join(cores)
    return _field(cpuinfo, "model name")


def _isa(cpuinfo: str) -> tuple[str, ...]:
    words = (_field(cpuinfo, "flags") or _field(cpuinfo, "Features") or "").split()
    return tuple(feature for feature in _ISA if feature in words)


def _field(cpuinfo: str, name: str) -> str | None:
    return _first(re.findall(rf"^{name}[ \t]*:[ \t]*(.*)$", cpuinfo, re.MULTILINE))


def _throttling(texts: Texts) -> Throttling | None:
    # Without permission the output is an error, which may also end in hexadecimal digits.
    said = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)\s*", texts.get("vcgencmd get_throttled", ""))
    said = said or re.fullmatch(r"(?:0x)?([0-9a-fA-F]+)\s*", texts.get(_THROTTLED, ""))
    return Throttling(word=int(said[1], 16)) if said else None


def _battery(dumped: str) -> Battery | None:
    """Of `dumpsys battery`; status 2 is charging, 5 full, and temperatures are tenths of a °C."""
    fields = dict(re.findall(r"^ *(level|scale|status|temperature): (\d+)$", dumped, re.MULTILINE))
    if "level" not in fields:
        return None
    return Battery(
        level=int(fields["level"]) / (int(fields.get("scale", "100")) or 100),
        charging=fields.get("status") in ("2", "5"),
        temperature_c=int(fields["temperature"]) / 10 if "temperature" in fields else None,
    )


def _cpu_seconds(stat: str) -> tuple[float | None, float | None]:
    """proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice."""
    fields = [int(x) for x in re.findall(r"\d+", stat.partition("\n")[0])]
    if len(fields) < 8:
        return None, None
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / _USER_HZ, steal / _USER_HZ


def _ending(texts: Texts, end: str) -> list[str]:
    return [text for name, text in texts.items() if name.endswith(end)]


def _numbers(texts: Texts, end: str) -> list[float]:
    texts_of_one = (text.strip() for text in _ending(texts, end))
    return [float(text) for text in texts_of_one if re.fullmatch(r"-?[0-9]+", text)]


def _first(found: Iterable[T]) -> T | None:
    return next(iter(found), None)
