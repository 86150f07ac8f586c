"""A written model and the manifest (`model.json`) that describes a folder of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_args, get_type_hints

from edgernn import atomic
from edgernn.errors import DataError, ModelFileError
from edgernn.graph import DecoderStep, DType, State, TensorSpec
from edgernn.recipe import RowRecipe, TextRecipe, rows_of, text_of
from edgernn.regular_file import DAMAGE, read_bytes, read_json
from edgernn.scheme import Scheme
from edgernn.version import __version__

MANIFEST_NAME: Final = "model.json"

# History of the manifest's format:
#   1  first version; "refused" (what no artefact could be made for), its "failed", the
#     "original_error", "mean_difference" and "changed" of a verification, the "decoder" and the
#     "front_end" (how sound becomes rows) and the "text" (how text becomes tokens) of an artefact
#     may be missing
# Fields that a reader does not know are ignored: only a change of meaning is a new version.
MANIFEST_VERSION: Final = 1


_Recipe = TypeVar("_Recipe")

#: Instead of a file's name: the source is a model in memory.
OBJECT: Final = "<object>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The model an artefact was made from."""

    file: str  # base name, or OBJECT
    sha256: str
    bytes: int
    keras_version: str  # "" where the model does not come from Keras
    parameters: int
    made_by: str = ""  # "PyTorch 2.9.0, ONNX opset 17"; "" for Keras

    @property
    def origin(self) -> str:
        """The program that the model comes from, with its version."""
        return self.made_by or f"Keras {self.keras_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output by its Keras name."""

    name: str
    spec: TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of an artefact, its name relative to the manifest."""

    name: str
    sha256: str
    bytes: int


class VerificationStatus(str, Enum):
    PASSED = "passed"
    SKIPPED = "skipped"  # the runtime is not installed; the reason says so
    UNDECIDED = "undecided"  # the inputs at hand do not show whether it agrees; the reason says why
    NOT_RUN = "not run"  # the user gave --no-verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of comparing with the reference.

    max_error and original_error are relative to the output's largest number, mean_error to its
    spread (edgernn.export.noise).

    float32 and float16 are held to their largest error against the graph that was written; the
    weights of float16 are rounded there, and `original_error` is its largest error against the
    float32 model.  Integer schemes are held to their mean error against the float32 model;
    `agreement` is how often the largest output is the same one.
    `integers` says that the artefact computes the integers of docs/integer-arithmetic.md: "bits",
    or "rounding" where all outputs lie behind a function that has no exact definition (softmax).
    checked_on: where the inputs came from ("kept-back rows", "made-up inputs").
    mean_difference and changed are of every scheme, to compare them by: the mean |difference| from
    the float32 model over the spread of the output, and the share of answers that are others.
    """

    status: VerificationStatus
    reason: str = ""
    cases: int = 0
    max_error: float | None = None
    original_error: float | None = None
    mean_error: float | None = None
    agreement: float | None = None
    integers: str = ""
    tolerance: float | None = None
    checked_on: str = ""
    mean_difference: float | None = None
    changed: float | None = None  # None where the outputs are no classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A model as one back end wrote it."""

    model: str  # the source's stem: what the rows of a table are called
    backend: str  # "onnx", "tflite", "native"
    scheme: Scheme
    files: tuple[StoredFile, ...]  # the first is the model itself
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[State, ...] = ()
    streaming: bool = False
    decoder: DecoderStep | None = None  # the second of the files; the first is its encoder
    source: Source
    labels: tuple[str, ...] = ()
    front_end: RowRecipe | None = None  # how rows of an input are made of sound or sensors
    text: TextRecipe | None = None  # how tokens of an input are made of text
    details: dict[str, str] = field(default_factory=dict)  # opset, lowering: for a reader
    verification: Verification
    edgernn_version: str = __version__

    @property
    def name(self) -> str:
        """The model file's name, unique in its folder."""
        return self.files[0].name

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The outputs that are no states, in the model's order: files may have another one."""
        states = {state.output for state in self.states}
        return tuple(port.name for port in self.outputs if port.name not in states)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A file that the export did not hand over: its back end cannot express the model, or it
    failed the check.
    """

    file: str  # the name that the artefact would have had
    backend: str
    reason: str  # the whole sentence, with what to do
    removed: bool = False  # an earlier export had made it: its files are gone
    failed: bool = False  # it was made and failed the check, or could not have the check it needs


def sha256_hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> tuple[Artefact, ...]:
    """The artefacts that `folder/model.json` lists; none where there is no manifest.

    Raises ModelFileError when the manifest is damaged or of a newer format.
    """
    return _read(folder)[0]


def read_refusals(folder: Path) -> tuple[Refusal, ...]:
    """The artefacts that could not be made, from `folder/model.json`; errors as `read_manifest`."""
    return _read(folder)[1]


def _read(folder: Path) -> tuple[tuple[Artefact, ...], tuple[Refusal, ...]]:
    path = folder / MANIFEST_NAME
    try:
        manifest = read_json(path)
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path}: {error.strerror}", remedy="Move it away, or use another folder"
        ) from error
    except ValueError as error:
        raise _not_a_manifest(path, error) from error
    try:
        version = int(manifest["version"])
        if version > MANIFEST_VERSION:
            raise ModelFileError(
                f"{path} has format {version}; this edgernn reads up to {MANIFEST_VERSION}",
                remedy="Update edgernn, or export again with this one",
            )
        artefacts = tuple(_artefact(entry) for entry in manifest["artefacts"])
        return artefacts, tuple(
            Refusal(**_known(Refusal, entry)) for entry in manifest.get("refused", [])
        )
    except DAMAGE as error:
        raise _not_a_manifest(path, error) from error


def _not_a_manifest(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"{path} is not a manifest of edgernn ({error})", remedy="Export the model again"
    )


def record(
    folder: Path,
    written: Iterable[Artefact],
    refused: Iterable[Refusal] = (),
    *,
    files: Mapping[Path, Path] = MappingProxyType({}),
) -> tuple[Refusal, ...]:
    """Adds to the folder's manifest, in place of entries of the same file name.

    `files`, from target to where each lies ready, appear together with the manifest or not at all.
    A refused file is no longer listed, and an earlier export's file of that name is deleted: it
    would be mistaken for a file of the new model.  A file that somebody put in its place by hand
    stays.  Returns the refusals; `removed` is set where a file was deleted.
    Other processes that record in the same folder wait.
    Raises OutputError.
    """
    with atomic.alone(folder):
        return _recorded(folder, written, refused, files)


def _recorded(
    folder: Path,
    written: Iterable[Artefact],
    refused: Iterable[Refusal],
    files: Mapping[Path, Path],
) -> tuple[Refusal, ...]:
    kept = {artefact.name: artefact for artefact in read_manifest(folder)}
    refusals = {refusal.file: refusal for refusal in read_refusals(folder)}
    superseded: dict[str, StoredFile] = {}
    for artefact in written:
        superseded |= _files(kept.get(artefact.name))
        kept[artefact.name] = artefact
        refusals.pop(artefact.name, None)
    now_refused = []
    for refusal in refused:
        earlier = kept.pop(refusal.file, None)
        superseded |= _files(earlier)
        removed = earlier is not None and _is_ours(folder, earlier.files[0])
        now_refused.append(replace(refusal, removed=removed))
        refusals[refusal.file] = now_refused[-1]
    still_there = {name for artefact in kept.values() for name in _files(artefact)}
    gone = [
        folder / name
        for name, file in sorted(superseded.items())
        if name not in still_there and _is_ours(folder, file)
    ]
    manifest = {
        "format": "edgernn-model",
        "version": MANIFEST_VERSION,
        "artefacts": [as_json(artefact) for artefact in kept.values()],
        "refused": [asdict(refusal) for refusal in refusals.values()],
    }
    path = folder / MANIFEST_NAME
    with atomic.staged_together([path], along=files, gone=gone) as (temporary,):
        temporary.write_bytes(json.dumps(manifest, indent=1).encode() + b"\n")
    return tuple(now_refused)


def _files(artefact: Artefact | None) -> dict[str, StoredFile]:
    return {file.name: file for file in artefact.files} if artefact else {}


def _is_ours(folder: Path, file: StoredFile) -> bool:
    """Whether the file is gone or still as recorded, so that nobody else's file is deleted."""
    try:
        return sha256_hex(read_bytes(folder / file.name)) == file.sha256
    except FileNotFoundError:
        return True
    except OSError:  # a folder, or not readable
        return False


def stored_file(name: str, content: bytes) -> StoredFile:
    return StoredFile(name=name, sha256=sha256_hex(content), bytes=len(content))


def as_json(artefact: Artefact) -> dict[str, Any]:
    """The manifest's entry of an artefact."""
    entry = asdict(artefact)
    entry["inputs"] = [_port_as_json(port) for port in artefact.inputs]
    entry["outputs"] = [_port_as_json(port) for port in artefact.outputs]
    entry["front_end"] = artefact.front_end and artefact.front_end.as_json()
    entry["text"] = artefact.text and artefact.text.as_json()
    return entry


def _port_as_json(port: Port) -> dict[str, Any]:
    return {"name": port.name, "shape": list(port.spec.shape), "dtype": port.spec.dtype.value}


def _artefact(entry: dict[str, Any]) -> Artefact:
    return Artefact(
        model=str(entry["model"]),
        backend=str(entry["backend"]),
        scheme=Scheme(entry["scheme"]),
        files=_stored_files(entry["files"]),
        inputs=_ports(entry["inputs"]),
        outputs=_ports(entry["outputs"]),
        states=tuple(State(**_known(State, state)) for state in entry["states"]),
        streaming=bool(entry["streaming"]),
        decoder=_decoder(entry.get("decoder")),
        source=Source(**_known(Source, entry["source"])),
        labels=tuple(entry["labels"]),
        front_end=_recipe(entry.get("front_end"), rows_of),
        text=_recipe(entry.get("text"), text_of),
        details=dict(entry["details"]),
        verification=Verification(
            **{
                **_known(Verification, entry["verification"]),
                "status": VerificationStatus(entry["verification"]["status"]),
            }
        ),
        edgernn_version=str(entry["edgernn_version"]),
    )


def _recipe(
    entry: dict[str, Any] | None, read: Callable[[dict[str, Any]], _Recipe]
) -> _Recipe | None:
    if entry is None:
        return None
    try:
        return read(entry)
    except DataError as error:
        raise ModelFileError(
            f"the front end in {MANIFEST_NAME} cannot be used: {error.what}",
            remedy=error.remedy or "Export the model again",
        ) from error


def _decoder(entry: dict[str, Any] | None) -> DecoderStep | None:
    if entry is None:
        return None
    states = tuple(State(**_known(State, state)) for state in entry["states"])
    others = {name: value for name, value in entry.items() if name != "states"}
    return DecoderStep(**_known(DecoderStep, others), states=states)


def _known(kind: type[Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The fields that this version knows; a later one may have added some.

    Raises TypeError for a value of another type than its field has.
    """
    hints = get_type_hints(kind)
    found = {known.name: entry[known.name] for known in fields(kind) if known.name in entry}
    for name, value in found.items():
        allowed = get_args(hints[name]) or (hints[name],)
        if issubclass(allowed[0], Enum):
            continue  # the caller makes it of the text
        numbers = (int, float) if float in allowed else ()
        if not isinstance(value, (*allowed, *numbers)) or (
            isinstance(value, bool) and bool not in allowed
        ):
            raise TypeError(f"{name} cannot be {value!r}")
    return found


def _stored_files(entries: Sequence[dict[str, Any]]) -> tuple[StoredFile, ...]:
    if not entries:
        raise ValueError("an artefact has no files")
    return tuple(_stored_file(entry) for entry in entries)


def _stored_file(entry: dict[str, Any]) -> StoredFile:
    """Refuses a name that leads out of the folder: a file that an export supersedes is deleted."""
    file = StoredFile(**_known(StoredFile, entry))
    os.fsencode(file.name)  # a ValueError for what no file can be called: half a surrogate pair
    if file.name in {"", ".."} or Path(file.name).name != file.name or "\0" in file.name:
        raise ValueError(f"{file.name!r} is not the name of a file beside it")
    return file


def _ports(entries: Sequence[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(
        Port(
            name=str(entry["name"]),
            spec=TensorSpec(shape=tuple(entry["shape"]), dtype=DType(entry["dtype"])),
        )
        for entry in entries
    )
