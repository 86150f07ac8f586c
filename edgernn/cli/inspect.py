"""`edgernn inspect`: what is in models, artefacts and folders of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edgernn.cli.terminal import print_warning

if TYPE_CHECKING:
    from edgernn.errors import EdgernnError

_KERAS: Final = frozenset({".keras", ".h5", ".hdf5"})

#: The one suffix of both artefacts and models that others wrote.
_ONNX: Final = ".onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What one file or folder is, or why it cannot be read."""

    path: Path
    kind: str  # "model", "artefact", "folder", "error"
    facts: dict[str, Any]
    text: str
    error: EdgernnError | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {"path": str(self.path), "kind": self.kind, **self.facts}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATHS…")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Show what is in PATHS: models (.keras, .h5, .onnx, .pt2), artefacts or folders.

    A folder shows the artefacts that its model.json lists or, without one, each model file.
    Nothing in a file is run.

    The list of --json has an entry for each file, and one for a folder with model.json. Each has
    "path" and "kind": "model", "artefact", "folder", or "error" for what cannot be read, with
    "error", "message" and "exit_code". The other files are shown all the same; the exit code is
    that of the first error.
    """
    shown = [one for path in paths for one in _shown(path)]
    if as_json:
        click.echo(json.dumps([one.document for one in shown], indent=1))
    errors = [one.error for one in shown if one.error is not None]
    if errors and len(shown) == 1:
        raise errors[0]
    if not as_json:
        click.echo("\n\n".join(one.text for one in shown))
    if errors:
        click.echo(f"edgernn: {len(errors)} of {len(shown)} cannot be read", err=True)
        return errors[0].code
    return 0


def _shown(path: Path) -> Iterator[_Shown]:
    """A file, a folder with its manifest, or the model files of a folder."""
    from edgernn.errors import EdgernnError
    from edgernn.front.steps import logged_step

    try:
        if path.is_dir():
            yield from _folder(path)
            return
        with logged_step(f"reading {path}"):
            read = _model(path) if _is_model(path) else _artefact(path)
        yield read
    except EdgernnError as error:
        facts = {"error": type(error).__name__, "message": str(error), "exit_code": error.code}
        text = f"{path}: cannot be read: {error}"
        yield _Shown(path=path, kind="error", facts=facts, text=text, error=error)


def _is_model(path: Path) -> bool:
    """Whether `path` holds a model to be exported, and no artefact."""
    from edgernn.errors import ModelFileError
    from edgernn.export.reading import is_written_by_edgernn
    from edgernn.formats import format_of

    if path.suffix.lower() != _ONNX:
        return format_of(path) is None
    try:
        return not is_written_by_edgernn(path)
    except ModelFileError:
        return False  # read_contents says what is wrong with it


def _model(file: Path) -> _Shown:
    from edgernn.export.reading import read_source
    from edgernn.report.inspected import model_as_json, model_text

    model = read_source(file)
    for warning in model.warnings:
        print_warning(warning)
    facts = model_as_json(model.graph, model.source)
    return _Shown(path=file, kind="model", facts=facts, text=model_text(model.graph, model.source))


def _artefact(file: Path) -> _Shown:
    from edgernn.export.contents import read_contents
    from edgernn.report.inspected import contents_text

    contents = read_contents(file)
    text = contents_text(file.name, contents)
    return _Shown(path=file, kind="artefact", facts=asdict(contents), text=text)


def _folder(folder: Path) -> Iterator[_Shown]:
    from edgernn.artefact import as_json, read_manifest, read_refusals
    from edgernn.errors import ModelFileError
    from edgernn.formats import format_of
    from edgernn.report.inspected import folder_text

    artefacts, refusals = read_manifest(folder), read_refusals(folder)
    if artefacts or refusals:
        facts = {
            "artefacts": [as_json(artefact) for artefact in artefacts],
            "refused": [asdict(refusal) for refusal in refusals],
        }
        text = folder_text(str(folder), artefacts, refusals)
        yield _Shown(path=folder, kind="folder", facts=facts, text=text)
        return
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise ModelFileError(
            f"cannot read {folder}: {error.strerror}", remedy="Check its permissions"
        ) from error
    files = [path for path in names if format_of(path) is not None or path.suffix in _KERAS]
    if not files:
        raise ModelFileError(
            f"{folder} has no model.json and no model file",
            remedy="Make artefacts with `edgernn export MODEL -o FOLDER`",
        )
    for file in files:
        yield from _shown(file)
