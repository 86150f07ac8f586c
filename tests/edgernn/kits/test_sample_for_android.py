"""The sample app and the module of React Native compile against the kit and Android's types."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

from tests.edgernn.kits.android_stubs import write_stubs
from tests.edgernn.runtime.toolchain import run
from tests.pages import TOP, blocks

APP = TOP / "examples" / "android" / "app"
ANDROID = "{http://schemas.android.com/apk/res/android}"


def compiled(kit: Path, sources: list[Path], out: Path) -> None:
    with zipfile.ZipFile(kit / "words.aar") as archive:
        archive.extract("classes.jar", out)
    stubs = write_stubs(out / "stubs")
    flags = ("-Xlint:all,-options", "-Werror", "--release", "8")
    run(["javac", *flags, "-cp", out / "classes.jar", "-d", out, *stubs, *sources])


def test_the_sample_app_compiles_for_java_8(android: Path, tmp_path: Path) -> None:
    sources = sorted(APP.rglob("*.java"))
    assert [path.stem for path in sources] == ["ListenActivity", "ListenService"]
    compiled(android, sources, tmp_path)
    assert (tmp_path / "dev" / "edgernn" / "sample" / "ListenService.class").exists()


def test_the_module_of_react_native_compiles(android: Path, tmp_path: Path) -> None:
    (code,) = blocks("other-roads.md", "java")
    source = tmp_path / "ErnnModule.java"
    source.write_text(code)
    compiled(android, [source], tmp_path)


def test_the_manifest_names_the_classes_and_the_permissions_that_they_need() -> None:
    manifest = ET.parse(APP / "src" / "main" / "AndroidManifest.xml").getroot()
    parts = [*manifest.iter("activity"), *manifest.iter("service")]
    for part in parts:
        name = part.get(f"{ANDROID}name", "").removeprefix(".")
        assert (APP / "src/main/java/dev/edgernn/sample" / f"{name}.java").exists()
    assert parts[1].get(f"{ANDROID}foregroundServiceType") == "microphone"
    asked = {one.get(f"{ANDROID}name") for one in manifest.iter("uses-permission")}
    assert {
        "android.permission.RECORD_AUDIO",
        "android.permission.FOREGROUND_SERVICE",
        "android.permission.FOREGROUND_SERVICE_MICROPHONE",
    } <= asked


def test_gradle_asks_for_what_the_kit_holds(android: Path) -> None:
    text = (APP / "build.gradle.kts").read_text() + blocks("guide-android.md", "kotlin")[0]
    for group, artifact, version in re.findall(r'"(dev\.[\w.]+):([\w-]+):([\d.]+)"', text):
        place = android / "maven" / group.replace(".", "/") / artifact / version
        assert (place / f"{artifact}-{version}.aar").exists()


def test_every_function_that_dart_looks_up_exists(android: Path) -> None:
    """By name and by number of parameters."""
    code = re.sub(r"\s+", " ", blocks("other-roads.md", "dart")[0])
    header = re.sub(r"/\*.*?\*/", "", (android / "ernn.h").read_text(), flags=re.DOTALL)
    looked_up = re.findall(r"lookupFunction<\s*(.*?) Function\((.*?)\), .*?>\('(\w+)'\)", code)
    assert len(looked_up) == 8
    for _, parameters, name in looked_up:
        declared = re.findall(rf"\b{name}\(([^)]*)\)", re.sub(r"\s+", " ", header))
        assert len(declared) == 1, name
        of_c = [] if declared[0] == "void" else declared[0].split(",")
        assert len(re.findall(r",(?![^<]*>)", parameters + ",")) - (not parameters) == len(of_c)
