"""The kinds of app that a kit is made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from edgernn.kits.contents import Contents

#: The files of a kit: path within its folder, content.
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A row: its name on the command line, what its kit is, the module that makes it."""

    name: str
    what: str
    module: str  # of edgernn.kits; imported when it is used
    next_step: str  # what a person does with the folder

    @property
    def files(self) -> Callable[..., Files]:
        made: Callable[..., Files] = import_module(f"edgernn.kits.{self.module}").files
        return made


TARGETS: Final = {
    target.name: target
    for target in (
        Target(
            name="c",
            what="C library, model and example, with CMake",
            module="for_c",
            next_step="cmake -S @FOLDER@ -B build && cmake --build build",
        ),
        Target(
            name="web",
            what="npm package: WebAssembly, types, AudioWorklet",
            module="for_web",
            next_step="npm install @FOLDER@",
        ),
        Target(
            name="android",
            what="AAR and local Maven folder",
            module="for_android",
            next_step='repositories { maven { url = uri("@FOLDER@/maven") } }\n'
            'dependencies { implementation("dev.edgernn:@ARTIFACT@:@VERSION@") }',
        ),
        Target(
            name="ios",
            what="Swift package of sources, podspec, privacy manifest",
            module="for_ios",
            next_step='.package(path: "@FOLDER@")',
        ),
    )
}


def next_step(target: Target, folder: str, contents: Contents) -> str:
    # Not "web" alone: npm would look for a package of that name.
    place = folder if folder.startswith(("/", ".")) else f"./{folder}"
    artifact = contents.name.replace("_", "-")
    return contents.fill(target.next_step, ARTIFACT=artifact).replace("@FOLDER@", place)
