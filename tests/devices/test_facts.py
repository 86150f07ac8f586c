"""What is made of Linux' files, on texts as real machines give them (shortened)."""

from __future__ import annotations

import pytest

from edgernn.devices.facts import Battery, Throttling, conditions, identity

PI4 = {
    "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "/proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "/proc/cpuinfo": (
        "processor\t: 0\nBogoMIPS\t: 108.00\n"
        "Features\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
        "CPU part\t: 0xd08\nCPU revision\t: 3\n"
    ),
}
PI2_32_BIT = {
    "/proc/cpuinfo": (
        "processor\t: 0\nmodel name\t: ARMv7 Processor rev 5 (v7l)\n"
        "Features\t: half thumb fastmult vfp edsp neon vfpv3\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xc07\n\n"
        "Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 2 Model B Rev 1.1\n"
    ),
}
PHONE = {
    "/proc/cpuinfo": (
        "processor\t: 0\nFeatures\t: asimd asimddp i8mm\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
        "processor\t: 4\nFeatures\t: asimd asimddp i8mm\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
    ),
}
SERVER = {
    "/proc/cpuinfo": (
        "processor\t: 0\nmodel\t\t: 106\nmodel name\t: Intel(R) Xeon(R) Processor @ 2.80GHz\n"
        "flags\t\t: fpu sse2 hypervisor avx2 fma avx512f avx512_vnni\n"
    ),
}


@pytest.mark.parametrize(
    ("texts", "board", "cpu", "isa", "virtual"),
    [
        (PI4, "Raspberry Pi 4 Model B Rev 1.4", "Cortex-A72", ("asimd",), False),
        (PI2_32_BIT, "Raspberry Pi 2 Model B Rev 1.1", "Cortex-A7", ("neon",), False),
        (PHONE, None, "Cortex-A55 + Cortex-A76", ("asimd", "asimddp", "i8mm"), False),
        (
            SERVER,
            None,
            "Intel(R) Xeon(R) Processor @ 2.80GHz",
            ("avx2", "fma", "avx512f", "avx512_vnni"),
            True,
        ),
        ({}, None, None, (), False),
    ],
)
def test_a_machine_is_known_by_its_files(texts, board, cpu, isa, virtual):
    machine = identity(texts)
    assert (machine.board, machine.cpu, machine.isa, machine.virtual) == (board, cpu, isa, virtual)


def test_the_distribution_is_named():
    assert identity(PI4).system == "Debian GNU/Linux 12 (bookworm)"


@pytest.mark.parametrize(
    "complaint",
    [
        "VCHI initialization failed\n",
        "Can't open device file: /dev/vcio\n mknod /dev/vcio c 100 0\n",
    ],
)
def test_a_complaint_of_vcgencmd_is_no_throttle_word(complaint):
    sysfs = "/sys/devices/platform/soc/soc:firmware/get_throttled"
    assert conditions({"vcgencmd get_throttled": complaint}).throttling is None
    told = conditions({"vcgencmd get_throttled": complaint, sysfs: "50000\n"})
    assert told.throttling == Throttling(word=0x50000)


def test_odd_texts_of_sensors_are_no_facts():
    state = conditions(
        {
            "/proc/loadavg": "abc def",
            "/sys/class/thermal/thermal_zone0/temp": "--5",
            "/sys/class/thermal/thermal_zone1/temp": "²",
            "dumpsys battery": "  level: 50\n  scale: 0\n",
        }
    )
    assert (state.load, state.temperature_c) == (None, None)


def test_an_unknown_core_is_named_by_its_numbers():
    text = "CPU implementer\t: 0x99\nCPU part\t: 0x001\n"
    assert identity({"/proc/cpuinfo": text}).cpu == "ARM core 0x99/0x001"


def test_conditions_are_read_from_every_core_and_zone():
    cpu = "/sys/devices/system/cpu"
    state = conditions(
        {
            "/proc/stat": "cpu  100 20 30 4000 50 6 7 80 0 0\ncpu0 50 10 15 2000 25 3 3 40 0 0\n",
            "/proc/loadavg": "0.52 0.48 0.30 1/123 4567\n",
            f"{cpu}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu1/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            f"{cpu}/cpu1/cpufreq/scaling_cur_freq": "600000\n",
            "/sys/class/thermal/thermal_zone0/temp": "48312\n",
            "/sys/class/thermal/thermal_zone1/temp": "51000\n",
            "vcgencmd get_throttled": "throttled=0x50005\n",
        }
    )
    assert state.governors == ("ondemand",)
    assert state.frequencies_mhz == (1500.0, 600.0)
    assert state.temperature_c == 51.0
    assert state.load == 0.52
    assert state.busy_s == pytest.approx(1.63)  # user, nice, system, irq, softirq
    assert state.stolen_s == pytest.approx(0.80)
    assert state.throttling == Throttling(word=0x50005)


def test_what_cannot_be_read_is_unknown_and_not_zero():
    state = conditions({"/proc/stat": "cpu 1 2\n", "/proc/loadavg": ""})
    assert state.governors == ()
    assert state.frequencies_mhz == ()
    assert (state.temperature_c, state.throttling, state.load) == (None, None, None)
    assert (state.busy_s, state.stolen_s) == (None, None)


@pytest.mark.parametrize(
    ("word", "under_voltage", "slowed", "happened"),
    [
        (0x0, False, False, False),
        (0x1, True, False, False),
        (0x2, False, True, False),
        (0x4, False, True, False),
        (0x8, False, True, False),
        (0x50000, False, False, True),
        (0x50005, True, True, True),
    ],
)
def test_the_bits_of_the_throttle_word(word, under_voltage, slowed, happened):
    throttling = Throttling(word=word)
    found = (throttling.under_voltage, throttling.slowed, throttling.happened)
    assert found == (under_voltage, slowed, happened)


def test_the_throttle_word_is_read_from_sysfs_where_there_is_no_vcgencmd():
    texts = {"/sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"}
    assert conditions(texts).throttling == Throttling(word=0x50000)


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        ({"/etc/edgernn-emulated": "qemu-user\n"}, "qemu-user"),
        ({"/proc/1/cmdline": "/usr/bin/qemu-aarch64\0/sbin/init\0"}, "its first process"),
        ({"getprop ro.boot.qemu": "1\n"}, "Android emulator"),
        ({"getprop ro.hardware": "ranchu\n"}, "Android emulator"),
    ],
)
def test_an_emulator_gives_itself_away(texts, sign):
    assert sign in str(identity({**PI4, **texts}).emulated)


def test_a_real_machine_is_not_taken_for_an_emulator():
    texts = {"/proc/1/cmdline": "/sbin/init\0", "getprop ro.kernel.qemu": "\n"}
    assert identity({**PI4, **texts}).emulated is None


def test_a_phone_is_known_by_its_properties():
    texts = {"getprop ro.product.model": "Pixel 8\n", "getprop ro.build.fingerprint": "google/x\n"}
    assert identity(texts).board == "Pixel 8"
    assert identity(texts).system == "Android (google/x)"


def test_an_emulated_target_may_say_what_counts_instructions_there():
    told = identity({"/etc/edgernn-emulated": "qemu-user\ncounter: /opt/count\n"})
    assert (told.emulated, told.counter) == ("qemu-user", "/opt/count")
    told = identity({"/etc/edgernn-emulated": ""})
    assert (told.emulated, told.counter) == ("marked as such", None)


def test_the_version_of_android_stands_before_its_build():
    texts = {
        "getprop ro.build.fingerprint": "google/x\n",
        "getprop ro.build.version.release": "14\n",
    }
    assert identity(texts).system == "Android 14 (google/x)"


@pytest.mark.parametrize(
    ("texts", "soc"),
    [
        (PI4, "BCM2711"),
        ({"getprop ro.soc.model": "SM8550\n", "getprop ro.board.platform": "kalama\n"}, "SM8550"),
        ({"getprop ro.soc.model": "\n", "getprop ro.board.platform": "msm8998\n"}, "msm8998"),
        ({"/proc/device-tree/compatible": "linux,dummy-virt\0"}, "DUMMY-VIRT"),
        (SERVER, None),
    ],
)
def test_the_processor_is_known_by_its_maker(texts, soc):
    assert identity(texts).soc == soc


@pytest.mark.parametrize(
    ("text", "abis"),
    [("arm64-v8a,armeabi-v7a,armeabi\n", ("arm64-v8a", "armeabi-v7a", "armeabi")), ("\n", ())],
)
def test_an_android_tells_what_programs_it_takes(text, abis):
    assert identity({"getprop ro.product.cpu.abilist": text}).abis == abis


def dumped(level: int, status: int) -> str:
    head = f"  AC powered: false\n  status: {status}\n  level: {level}\n"
    return f"{head}  scale: 100\n  temperature: 312\n"


@pytest.mark.parametrize(
    ("level", "status", "charging", "low"),
    [(84, 2, True, False), (15, 3, False, True), (15, 2, True, False), (100, 5, True, False)],
)
def test_a_battery_is_low_where_it_is_nearly_empty_and_not_charged(level, status, charging, low):
    battery = conditions({"dumpsys battery": dumped(level, status)}).battery
    assert battery == Battery(level=level / 100, charging=charging, temperature_c=31.2)
    assert battery.low == low


@pytest.mark.parametrize("text", ["", "Can't find service: battery\n"])
def test_what_has_no_battery_has_none(text):
    assert conditions({"dumpsys battery": text}).battery is None
