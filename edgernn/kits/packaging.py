"""Makes a kit and writes it: all of its files or none, and no file of someone else is replaced."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgernn.atomic import staged_together
from edgernn.errors import OutputError, WrongOption
from edgernn.kits.contents import read_contents
from edgernn.kits.targets import TARGETS, Files, next_step
from edgernn.version import __version__

#: Lists what edgernn wrote, so that the next run replaces these files and no others.
MANIFEST: Final = "ernn-kit.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """A kit that was written."""

    folder: Path
    files: tuple[Path, ...]
    next_step: str  # a line to paste


def package(
    model: str | os.PathLike[str],
    *,
    target: str,
    folder: str | os.PathLike[str],
    all_layers: bool = False,
    demo: bool = False,
) -> Packaged:
    """Writes what an app needs to run an .ernn file into `folder`.

    target: "c", "web", "android" or "ios".  all_layers: the library runs other models too, not
    only those with layers of this one.  demo: with "web", also a page that listens.

    >>> edgernn.package("out/words.int8.ernn", target="c", folder="third_party/words")

    A kit that is there already is replaced.  Raises ModelFileError for a file that is no .ernn
    model, WrongOption for a target that does not exist, MissingTool where the target needs a
    compiler that is not installed, and OutputError where a file is in the way that edgernn did not
    write; then nothing is written.
    """
    if target not in TARGETS:
        raise WrongOption(
            f"there is no kit for '{target}'", remedy=f"Choose {' or '.join(TARGETS)}"
        )
    if demo and target != "web":
        raise WrongOption(
            f"a kit for {target} has no demo page", remedy="Use --demo together with --for web"
        )
    place = Path(folder)
    contents = read_contents(Path(model), all_layers=all_layers)
    earlier = _earlier(place, target)
    options = {"demo": demo} if target == "web" else {}
    files = TARGETS[target].files(contents, **options)
    _require_own(place, files, earlier)
    written = _write(place, files, earlier, target)
    step = next_step(TARGETS[target], str(place), contents)
    return Packaged(folder=place, files=written, next_step=step)


def _earlier(folder: Path, target: str) -> dict[str, str]:
    """SHA-256 by path of the files of the kit that is there; raises for one of another target."""
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_text("utf-8"))
        files = {str(path): str(digest) for path, digest in manifest["files"].items()}
        there = str(manifest["target"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise OutputError(
            f"cannot read {folder / MANIFEST}: {error}", remedy="Choose another folder with -o"
        ) from error
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        raise OutputError(
            f"{folder / MANIFEST} names files outside of its folder",
            remedy="Choose another folder with -o",
        )
    if there != target:
        raise OutputError(
            f"{folder} holds a kit for {there}", remedy="Choose another folder with -o"
        )
    return files


def _require_own(folder: Path, files: Files, earlier: dict[str, str]) -> None:
    """Raises OutputError for a file in the way that is not as edgernn wrote it."""
    for name in sorted({*files, *earlier}):
        path = folder / name
        try:
            there = path.read_bytes() if os.path.lexists(path) else None
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror}", remedy="Choose another folder with -o"
            ) from error
        if there is None or there == files.get(name):
            continue
        if _digest(there) != earlier.get(name):
            changed = "was changed since" if name in earlier else "is not of an earlier kit"
            raise OutputError(
                f"{path} is in the way: it {changed}",
                remedy="Move it away, or choose another folder with -o",
            )


def _write(folder: Path, files: Files, earlier: dict[str, str], target: str) -> tuple[Path, ...]:
    manifest = {
        "target": target,
        "edgernn": __version__,
        "files": {name: _digest(content) for name, content in sorted(files.items())},
    }
    every = {**files, MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}
    paths = tuple(folder / name for name in every)
    gone = [folder / name for name in earlier if name not in every]
    with staged_together(paths, gone=[path for path in gone if path.exists()]) as temporary:
        for path, content in zip(temporary, every.values(), strict=True):
            path.write_bytes(content)
    return paths


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
