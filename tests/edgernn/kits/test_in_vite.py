"""A fresh Vite project takes the npm package: it builds, and what was built listens in Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from pathlib import Path

import pytest

from edgernn.kits import package
from tests.edgernn.kits.chromium import chromium, served
from tests.edgernn.kits.heard import sound_of
from tests.edgernn.kits.models import RATE_HZ, certain_model
from tests.edgernn.kits.npm_tools import npm_tools
from tests.edgernn.runtime.toolchain import tool
from tests.pages import TOP, blocks

pytestmark = pytest.mark.long


def of_the_guide(folder: Path) -> None:
    (block,) = (block for block in blocks("guide-web.md") if block.startswith("mkdir app\n"))
    subprocess.run(["bash", "-euc", block], cwd=folder, check=True)


def of_the_example(folder: Path) -> None:
    shutil.copytree(TOP / "examples" / "web", folder / "app")
    shutil.copytree(folder / "web", folder / "app" / "words")


@pytest.mark.parametrize("app", [of_the_guide, of_the_example])
def test_the_built_page_hears_a_word(app, tmp_path: Path) -> None:
    for name in ("clang", "wasm-ld", "npm"):
        tool(name)
    modules = npm_tools()
    (tmp_path / "words.ernn").write_bytes(certain_model())
    package(tmp_path / "words.ernn", target="web", folder=tmp_path / "web")
    app(tmp_path)
    flags = ("--offline", "--silent", "--omit=dev", "--no-audit", "--no-fund")
    subprocess.run(["npm", "install", *flags], cwd=tmp_path / "app", check=True)
    vite = ["node", str(modules / "vite" / "bin" / "vite.js"), "build"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(vite, cwd=tmp_path / "app", env=environment, check=True, capture_output=True)
    names = {path.name.split("-")[0] for path in (tmp_path / "app" / "dist").rglob("*.*")}
    assert {"ernn", "words", "worklet"} <= {name.split(".")[0] for name in names}
    with wave.open(str(tmp_path / "microphone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound_of(8.0).tobytes())
    with (
        served(tmp_path / "app" / "dist") as address,
        chromium(tmp_path, microphone=tmp_path / "microphone.wav") as page,
    ):
        page.open(f"{address}/index.html", width=400, height=700)
        page.wait_for("!!document.getElementById('listen')?.onclick", seconds=30)
        page.value("document.getElementById('listen').click()")
        label = page.wait_for("document.getElementById('label').value", seconds=60)
        assert label == "yes"


def test_typescript_accepts_the_types(sound: Path, tmp_path: Path) -> None:
    for name in ("clang", "wasm-ld"):
        tool(name)
    package(sound, target="web", folder=tmp_path / "node_modules" / "words")
    (tmp_path / "app.ts").write_text(
        "import { Model, createListenerNode, type Heard } from 'words';\n"
        "const node = await createListenerNode(new AudioContext(), { threshold: 0.9 });\n"
        "node.ondetection = ({ label, score }: Heard) => console.log(label.length, score);\n"
        "const model = await Model.load();\n"
        "const rate: number = model.sensorRate;\n"
        "model.listener(rate).feed(new Float32Array(3));\n"
        "const labels: readonly string[] = model.labels;\n"
        "// @ts-expect-error: a label is no number\n"
        "const wrong: number = labels[0];\n"
        "model.close();\nexport { wrong };\n"
    )
    flags = ("--noEmit", "--strict", "--target", "es2022", "--module", "esnext")
    resolution = ("--moduleResolution", "bundler", "--lib", "es2022,dom")
    compiler = npm_tools() / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", compiler, *flags, *resolution, "app.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
