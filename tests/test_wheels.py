"""`make wheels`: extensions for each processor and for old systems, which give the same bits."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgernn import Model
from tests.debian_packages import CannotBuild, fetched, unpack
from tests.edgernn.kits.models import array_model, rows
from tests.pages import TOP
from tests.pi.root import root_folder

pytestmark = pytest.mark.long
elffile = pytest.importorskip("elftools.elf.elffile")

MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64", "armv7l": "EM_ARM"}
EXTENSIONS = ("edgernn/runtime/_ernn.abi3.so", "edgernn/runtime/ort/_operators.abi3.so")
#: Runs a model, as files: model, rows, answers.
RUN = (
    "import sys, numpy as np\n"
    "from edgernn import Model\n"
    "x = np.load(sys.argv[2])\n"
    "np.save(sys.argv[3], Model(sys.argv[1])(x[None])[0])\n"
)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang", reason="pip install '.[wheels]' brings the compiler")
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run([sys.executable, TOP / ".ci" / "wheels.py", folder], check=True)
    return folder


def wheel_of(wheels: Path, machine: str) -> Path:
    (wheel,) = wheels.glob(f"*_{machine}.whl")
    return wheel


def answers(python: list[str | Path], site: Path, tmp_path: Path) -> tuple[object, object]:
    """Of another Python that runs the wheel in `site`, and of this one."""
    model, x = tmp_path / "model.ernn", rows()
    model.write_bytes(array_model())
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "run.py").write_text(RUN)
    words = [*python, tmp_path / "run.py", model, tmp_path / "x.npy", tmp_path / "y.npy"]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(
        [str(word) for word in words], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / "y.npy"), Model(model)(x[None])[0]


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_the_extensions_are_for_their_processor_and_old_systems(machine: str, wheels: Path) -> None:
    wheel = wheel_of(wheels, machine)
    tag = f"cp310-abi3-manylinux2014_{machine}"
    assert wheel.name.endswith(f"-{tag}.whl")
    with zipfile.ZipFile(wheel) as archive:
        contents = [archive.read(name) for name in EXTENSIONS]
    for content in contents:
        elf = elffile.ELFFile(io.BytesIO(content))
        assert elf["e_machine"] == MACHINES[machine]
        needs = elf.get_section_by_name(".gnu.version_r")
        versions = (
            [aux.name for _, auxes in needs.iter_versions() for aux in auxes] if needs else []
        )
        numbers = [re.findall(r"\d+", name) for name in versions if name.startswith("GLIBC_")]
        assert all([*map(int, number)] <= [2, 17] for number in numbers)


def test_the_wheel_of_this_machine_runs_in_a_python_of_its_own(
    wheels: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel_of(wheels, os.uname().machine)) as archive:
        archive.extractall(tmp_path / "site")
    given, expected = answers([sys.executable], tmp_path / "site", tmp_path)
    np.testing.assert_array_equal(given, expected)


def test_the_wheel_for_64_bit_arm_gives_the_same_bits(wheels: Path, tmp_path: Path) -> None:
    """In qemu, with Debian's Python and the index's numpy and cffi for ARM."""
    python = emulated("qemu-aarch64-static", "arm64")
    site = tmp_path / "site"
    platforms = [f"--platform=manylinux{one}_aarch64" for one in ("2014", "_2_27", "_2_28")]
    pip = ["pip", "install", "--quiet", "--target", site, "--only-binary=:all:", *platforms]
    packages = ["--python-version", "3.11", "numpy", "cffi"]
    subprocess.run([sys.executable, "-m", *map(str, pip), *packages], check=True)
    with zipfile.ZipFile(wheel_of(wheels, "aarch64")) as archive:
        archive.extractall(site)
    given, expected = answers(python, site, tmp_path)
    np.testing.assert_array_equal(given, expected)


def test_the_wheel_for_32_bit_arm_gives_the_same_bits(wheels: Path, tmp_path: Path) -> None:
    """In qemu, with Debian's Python, numpy and cffi."""
    python = emulated("qemu-arm-static", "armhf")
    try:
        (tmp_path / "apt").mkdir()
        names = ("python3-cffi-backend",)
        unpack(fetched(names, architecture="armhf", folder=tmp_path / "apt"), tmp_path / "cffi")
    except CannotBuild as why:
        pytest.skip(str(why))
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel_of(wheels, "armv7l")) as archive:
        archive.extractall(site)
    shutil.copytree(tmp_path / "cffi/usr/lib/python3/dist-packages", site, dirs_exist_ok=True)
    given, expected = answers(python, site, tmp_path)
    np.testing.assert_array_equal(given, expected)


def emulated(qemu: str, architecture: str) -> list[str | Path]:
    """The command of an ARM Python."""
    program = shutil.which(qemu)
    if program is None:
        pytest.skip(f"{qemu} is not installed (Debian: apt-get install qemu-user-static)")
    try:
        root = root_folder(architecture)
    except CannotBuild as why:
        pytest.skip(str(why))
    return [program, "-L", root, root / "usr/bin/python3.11"]
