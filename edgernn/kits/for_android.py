"""The kit for Android: an AAR and a local Maven folder, compiled without the NDK."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edgernn.errors import MissingTool
from edgernn.kits.contents import Contents
from edgernn.kits.targets import Files
from edgernn.kits.tools import CALLS, run, tool

_HERE: Final = Path(__file__).parent / "android"
_RUNNER: Final = Path(__file__).parents[1] / "runtime" / "runner"  # has arm_runtime.h

#: Arithmetic that a processor lacks.
_DIVISION: Final = {"armeabi-v7a": "division_arm.c", "x86": "division_x86.c"}

#: Android's name of each kind of processor; clang's, and the options of its own.  Thumb as the NDK
#: does; x86 is that of emulators and few devices, where size matters more than speed.
ABIS: Final = {
    "arm64-v8a": ("--target=aarch64-linux-android21", "-Os"),
    "armeabi-v7a": ("--target=armv7a-linux-androideabi21", "-Os", "-mthumb"),
    "x86_64": ("--target=x86_64-linux-android21", "-Oz", *CALLS),
    "x86": ("--target=i686-linux-android21", "-Oz", *CALLS, "-fno-omit-frame-pointer"),
}

#: Hardly a device with Android has AVX-512 or AVX-VNNI.
_FLAGS: Final = (
    "-DERNN_WITHOUT_AVX512", "-std=c99", "-fPIC", "-ffreestanding",
    "-nostdinc",
    "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer",
    "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-ident",
    "-DERNN_SHARED", "-DERNN_BUILDING",
)  # fmt: skip

#: Not -z common-page-size=16384: systems with pages of 4 KB would then refuse to load the library.
#: Systems before API 23 know no other hash than that of System V.
#: -Bsymbolic: calls of what it exports itself need no table.
_LINK: Final = (
    "-nostdlib", "-shared", "-fuse-ld=lld", "-Wl,-soname,libedgernn.so",
    "-Wl,-z,max-page-size=16384", "-Wl,--hash-style=sysv", "-Wl,--gc-sections", "-Wl,-z,defs",
    "-Wl,-Bsymbolic", "-Wl,-s",
)  # fmt: skip

_METADATA: Final = "aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=21\n"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def files(contents: Contents) -> Files:
    """The files of the kit."""
    artifact = contents.name.replace("_", "-")
    version = contents.fill("@VERSION@")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        libraries = {abi: _library(folder, contents, abi) for abi in ABIS}
        classes = _classes(folder)
    aar = _archive(
        {
            "AndroidManifest.xml": contents.template("android/AndroidManifest.xml"),
            "classes.jar": classes,
            "R.txt": b"",
            "proguard.txt": contents.template("android/proguard.txt"),
            "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
            f"assets/{contents.model_file}": contents.content,
            **{f"jni/{abi}/libedgernn.so": library for abi, library in libraries.items()},
        }
    )
    place = f"maven/dev/edgernn/{artifact}/{version}/{artifact}-{version}"
    native = f"{artifact}-prefab"
    native_place = f"maven/dev/edgernn/{native}/{version}/{native}-{version}"
    kind = "sound" if contents.has_sound else "arrays"
    return {
        f"{artifact}.aar": aar,
        f"{place}.aar": aar,
        f"{place}.pom": contents.template("android/pom.xml", ARTIFACT=artifact),
        f"{native_place}.aar": _prefab(contents, libraries),
        f"{native_place}.pom": contents.template("android/pom.xml", ARTIFACT=native),
        "kotlin/Ernn.kt": contents.template("android/kotlin/Ernn.kt"),
        "ernn.h": contents.library["ernn.h"].encode(),
        "README.md": contents.template(f"android/README_{kind}.md", ARTIFACT=artifact),
    }


def _prefab(contents: Contents, libraries: Mapping[str, bytes]) -> bytes:
    """An AAR of the libraries for C and C++ code: CMake of the NDK finds `ernn::edgernn` in it.

    One of its own, since the libraries would lie twice in the other.
    """
    module = "prefab/modules/edgernn"
    package = {"schema_version": 2, "name": "ernn", "version": contents.fill("@VERSION@")}
    made = {
        "AndroidManifest.xml": contents.template("android/AndroidManifest.xml"),
        "prefab/prefab.json": _json({**package, "dependencies": []}),
        f"{module}/module.json": _json({"export_libraries": [], "library_name": "libedgernn"}),
        f"{module}/include/ernn.h": contents.library["ernn.h"].encode(),
    }
    for abi, library in libraries.items():
        about = {"abi": abi, "api": 21, "ndk": 21, "stl": "none", "static": False}
        made[f"{module}/libs/android.{abi}/abi.json"] = _json(about)
        made[f"{module}/libs/android.{abi}/libedgernn.so"] = library
    return _archive(made)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _library(folder: Path, contents: Contents, abi: str) -> bytes:
    """libedgernn.so of one processor: it needs no other library."""
    tool("ld.lld", package="lld")
    clang = tool("clang", package="clang")
    for name, text in contents.library.items():
        (folder / name).write_text(text, "utf-8")
    jdk = _jdk()
    for header in ("jni.h", "linux/jni_md.h"):
        (folder / Path(header).name).write_bytes((jdk / "include" / header).read_bytes())
    resources = folder / "clang"
    run([clang, "-print-resource-dir"], cwd=folder, out=resources)
    include = Path(resources.read_text().strip()) / "include"
    target, *options = ABIS[abi]
    common = (clang, target, *_FLAGS, "-isystem", include, "-I", folder, "-I", _RUNNER)
    parts: list[str | Path] = ["ernn.c", _HERE / "ernn_jni.c"]
    if abi in _DIVISION:  # without Thumb: its assembly has the instructions of ARM
        parts.append(f"{abi}.o")
        run([*common, "-Os", "-c", _HERE / _DIVISION[abi], "-o", parts[-1]], cwd=folder)
    built = folder / f"{abi}.so"
    size = ("-DERNN_SMALL",) if contents.all_layers else ()  # else it is small, and fast
    command = [*common, *options, *size, *contents.options, *_LINK, "-I", _HERE, *parts]
    run([*command, "-o", built], cwd=folder)
    return built.read_bytes()


def _jdk() -> Path:
    """The JDK's folder; its headers describe Android's JNI too."""
    javac = Path(tool("javac", package="default-jdk-headless")).resolve()
    folder = javac.parents[1]
    if not (folder / "include" / "jni.h").exists():
        raise MissingTool(
            f"the JDK of {javac} has no include/jni.h",
            remedy="Install a whole JDK; on Debian: apt-get install default-jdk-headless",
        )
    return folder


def _classes(folder: Path) -> bytes:
    """classes.jar, for Java 8 as Android's tools take it."""
    javac = tool("javac", package="default-jdk-headless")
    out = folder / "classes"
    sources = sorted([*_HERE.glob("java/*.java"), *_HERE.glob("stubs/*.java")])
    run([javac, "-Xlint:-options", "--release", "8", "-d", out, *sources], cwd=folder)
    compiled = sorted((out / "dev").rglob("*.class"))
    classes = {path.relative_to(out).as_posix(): path.read_bytes() for path in compiled}
    return _archive(classes, compression=zipfile.ZIP_STORED)  # the AAR compresses them together


def _archive(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of the same bytes for the same content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = compression
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()
