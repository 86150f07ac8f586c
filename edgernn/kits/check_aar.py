"""Whether the native libraries of an AAR load on Android: of any AAR, not only of kits."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgernn.errors import MissingRuntime, ModelFileError

_PAGE_16K: Final = 16384
_PAGE_4K: Final = 4096
_64_BIT: Final = frozenset({"arm64-v8a", "x86_64", "riscv64"})

#: Libraries that every Android has and apps may use.
_OF_ANDROID: Final = frozenset(
    f"lib{name}.so"
    for name in (
        "c", "m", "dl", "log", "android", "EGL", "GLESv1_CM", "GLESv2", "GLESv3", "OpenSLES",
        "OpenMAXAL", "aaudio", "amidi", "binder_ndk", "camera2ndk", "jnigraphics", "mediandk",
        "nativewindow", "neuralnetworks", "stdc++", "sync", "vulkan", "z",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLibrary:
    """A shared library of an AAR, and why it would not load or work."""

    abi: str
    name: str
    size_bytes: int
    page_bytes: int  # the largest pages that it can be loaded with
    needs: tuple[str, ...]  # other libraries
    exports: tuple[str, ...]
    problems: tuple[str, ...]  # sentences


def check_aar(path: Path) -> tuple[CheckedLibrary, ...]:
    """The libraries below jni/ of an AAR, sorted by ABI.

    A library for 64 bits must be aligned to pages of 16 KB, which Google Play asks for; what must
    be read-only after loading (RELRO) must end within its segment's pages of 4 KB, else systems
    with such pages refuse it; undefined symbols need a library that defines them.

    Raises ModelFileError for a file that is no AAR or holds a damaged library, and MissingRuntime
    where pyelftools is not installed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = {
                name: archive.read(name)
                for name in sorted(archive.namelist())
                if name.startswith("jni/") and name.endswith(".so")
            }
            is_aar = "AndroidManifest.xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise ModelFileError(f"cannot read {path}: {error}", remedy="Give an .aar file") from error
    if not is_aar:
        raise ModelFileError(
            f"{path} is no AAR: it has no AndroidManifest.xml", remedy="Give an .aar file"
        )
    names = {Path(name).name for name in content}
    return tuple(_checked(name, data, inside=names) for name, data in content.items())


def _checked(path: str, content: bytes, *, inside: set[str]) -> CheckedLibrary:
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise MissingRuntime(
            "check-aar reads libraries with pyelftools, which is not installed",
            remedy="pip install pyelftools",
        ) from error
    abi, name = Path(path).parent.name, Path(path).name
    try:
        elf = ELFFile(io.BytesIO(content))
        needs, undefined, exports = _symbols(elf)
        loads = [one for one in elf.iter_segments() if one["p_type"] == "PT_LOAD"]
        relro = [one for one in elf.iter_segments() if one["p_type"] == "PT_GNU_RELRO"]
    except (ELFError, ValueError, KeyError, AttributeError) as error:
        raise ModelFileError(
            f"{path} is no library that can be read: {error}", remedy="Build the AAR again"
        ) from error
    page = min((one["p_align"] for one in loads), default=0)
    problems = []
    if abi in _64_BIT and page < _PAGE_16K:
        problems.append(f"it is aligned to pages of {page} bytes, not of {_PAGE_16K}")
    problems += [
        "what is read-only after loading (RELRO) ends outside of its segment: systems with pages "
        "of 4 KB refuse the library"
        for one in relro
        if not _ends_inside(one, loads)
    ]
    missing = [one for one in needs if one not in _OF_ANDROID | inside]
    problems += [f"it needs {one}, which neither Android nor the AAR has" for one in missing]
    if undefined and not needs:
        problems.append(f"nothing defines {', '.join(undefined[:5])}")
    return CheckedLibrary(
        abi=abi,
        name=name,
        size_bytes=len(content),
        page_bytes=page,
        needs=needs,
        exports=exports,
        problems=tuple(problems),
    )


def _symbols(elf: Any) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(libraries needed, symbols undefined, symbols defined for others)"""
    dynamic = [one for one in elf.iter_segments() if one["p_type"] == "PT_DYNAMIC"]
    needs: list[str] = []
    undefined: list[str] = []
    exports: list[str] = []
    for segment in dynamic:
        needs += [tag.needed for tag in segment.iter_tags("DT_NEEDED")]
        for symbol in segment.iter_symbols():
            if not symbol.name or symbol["st_info"]["bind"] == "STB_WEAK":
                continue
            is_undefined = symbol["st_shndx"] == "SHN_UNDEF"
            (undefined if is_undefined else exports).append(symbol.name)
    return tuple(needs), tuple(undefined), tuple(exports)


def _ends_inside(relro: Any, loads: list[Any]) -> bool:
    """Whether RELRO ends at most where its segment does, in pages of 4 KB."""
    end = relro["p_vaddr"] + relro["p_memsz"]
    for one in loads:
        first, last = one["p_vaddr"], one["p_vaddr"] + one["p_memsz"]
        if first <= relro["p_vaddr"] < last:
            return bool(end <= -(-last // _PAGE_4K) * _PAGE_4K)
    return False
