"""The Swift package: its C target compiles for Apple's systems, its module map works.

test_swift.py compiles what is of Swift.
"""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from edgernn.kits import package
from tests.edgernn.runtime.toolchain import run, tool

TARGETS = ("arm64-apple-ios12", "arm64-apple-ios12-simulator", "arm64-apple-macos11")


@pytest.fixture(scope="module")
def kit(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ios")
    package(sound, target="ios", folder=folder)
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_the_c_target_compiles(target: str, kit: Path, tmp_path: Path) -> None:
    """-ffreestanding, since Apple's headers are not here; the library includes those of C only."""
    source = kit / "Sources" / "CErnn"
    flags = (f"--target={target}", "-ffreestanding", "-O0", "-Wall", "-Wextra", "-Werror")
    include = ("-DERNN_WITHOUT_IMAGES", "-I", source / "include")
    run([tool("clang"), *flags, *include, "-c", source / "ernn.c", "-o", tmp_path / "ernn.o"])


def test_the_module_map_gives_the_functions(kit: Path, tmp_path: Path) -> None:
    app = tmp_path / "app.m"
    app.write_text(
        "@import CErnn;\n"
        "int main(void) {\n"
        "  return ernn_listener_status(0) == ERNN_ARGUMENT && ERNN_ALIGNMENT == 64;\n}\n"
    )
    include = kit / "Sources" / "CErnn" / "include"
    flags = ("--target=arm64-apple-ios12", "-ffreestanding", "-fmodules", "-fsyntax-only")
    cache = f"-fmodules-cache-path={tmp_path / 'cache'}"
    run([tool("clang"), *flags, cache, f"-I{include}", app])


def test_each_path_that_the_package_names_exists(kit: Path, sound: Path) -> None:
    manifest = (kit / "Package.swift").read_text()
    assert "unsafeFlags" not in manifest
    assert 'name: "Words"' in manifest
    for path in ("Sources/CErnn", "Sources/Words"):
        assert f'path: "{path}"' in manifest
        assert (kit / path).is_dir()
    assert (kit / "Sources" / "Words" / "words.ernn").read_bytes() == sound.read_bytes()
    assert '.define("ERNN_WITHOUT_IMAGES")' in manifest


def test_the_privacy_manifest_says_that_nothing_is_collected(kit: Path) -> None:
    content = (kit / "Sources" / "Words" / "PrivacyInfo.xcprivacy").read_bytes()
    assert plistlib.loads(content) == {
        "NSPrivacyTracking": False,
        "NSPrivacyTrackingDomains": [],
        "NSPrivacyCollectedDataTypes": [],
        "NSPrivacyAccessedAPITypes": [],
    }


def test_no_placeholder_is_left(kit: Path) -> None:
    for path in kit.rglob("*"):
        if path.suffix in {".swift", ".podspec", ".md", ".modulemap"}:
            text = path.read_text()
            assert not [
                word for word in ("@MODEL@", "@TYPE@", "@DEFINES@", "@VERSION@") if word in text
            ]
