"""Finds the artefacts to profile in paths: listed in a manifest, or as single model files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgernn.artefact import MANIFEST_NAME, Artefact, VerificationStatus, read_manifest, sha256_hex
from edgernn.errors import DataError, ModelFileError
from edgernn.formats import Format, format_of, suffixes
from edgernn.graph import DecoderStep, Decoding, Shape, State
from edgernn.profile.own_facts import own_facts
from edgernn.profile.report import Item, Training
from edgernn.recipe import FrontEndRecipe, TextRecipe
from edgernn.regular_file import read_bytes
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.training_log import TrainingLog, log_path, read_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model file to profile, and how to run it."""

    item: Item
    path: Path
    extra_files: tuple[Path, ...] = ()
    states: tuple[State, ...] = ()
    decoder: DecoderStep | None = None  # it writes a sequence with this file, one of extra_files
    labels: tuple[str, ...] = ()  # names of the classes, in the order of the outputs
    outputs: tuple[str, ...] = ()  # names in the model's order, which a file may change; no states
    source: Path | None = None  # the Keras file it was made from, if it is at hand
    reading: Reading = AS_IT_IS  # how its training read tables
    front_end: FrontEndRecipe | None = None  # how it takes sound or text

    @property
    def decoding(self) -> Decoding | None:
        """The loop of a model that writes sequences, for its original."""
        step = self.decoder
        if step is None:
            return None
        return Decoding(input=step.input, start=step.start, stop=step.stop, longest=step.longest)


def find_candidates(paths: Sequence[Path]) -> tuple[Candidate, ...]:
    """The artefacts in these folders and files, each once.

    A folder means all files in its manifest or, without a manifest, its model files.  Artefacts of
    one model are together, in the order in which the models were found.
    Raises ModelFileError if there is nothing to profile, if a file has changed since its export, or
    if the metadata of one without a manifest cannot be used.
    """
    found: dict[Path, Candidate] = {}
    for path in paths:
        for candidate in _in_folder(path) if path.is_dir() else [_single(path)]:
            found.setdefault(candidate.path.resolve(), candidate)
    models = list(dict.fromkeys(candidate.item.model for candidate in found.values()))
    return tuple(sorted(found.values(), key=lambda one: models.index(one.item.model)))


def common_reading(candidates: Sequence[Candidate]) -> Reading:
    """How the data for the candidates are to be read: as their trainings did it.

    Raises DataError where they did it differently.
    """
    known = {one.reading: one for one in candidates if one.reading != AS_IT_IS}
    if len(known) > 1:
        first, second, *_ = known.values()
        raise DataError(
            f"{first.item.file} and {second.item.file} were trained on different targets, windows "
            "or rows of their data",
            remedy="Profile them one by one, or give --data as an .npz",
        )
    return next(iter(known), AS_IT_IS)


def common_front_end(candidates: Sequence[Candidate], data: Path) -> FrontEndRecipe | None:
    """How recordings become rows, or texts tokens, for the candidates; None where none says it.

    Raises DataError where they take different rows, and `data` is a folder of recordings, or other
    tokens.
    """
    known = {one.front_end: one for one in candidates if one.front_end is not None}
    of_text = any(isinstance(one, TextRecipe) for one in known)
    if len(known) > 1 and (data.is_dir() or of_text):
        first, second, *_ = known.values()
        raise DataError(
            f"{first.item.file} and {second.item.file} make other features of the same data",
            remedy="Profile them one by one",
        )
    return next(iter(known), None)


def _in_folder(folder: Path) -> list[Candidate]:
    candidates = [_from_manifest(folder, artefact) for artefact in read_manifest(folder)]
    if not candidates:
        files = ((path, format_of(path)) for path in sorted(folder.iterdir()))
        candidates = [_bare(path, found) for path, found in files if found is not None]
    if not candidates:
        raise ModelFileError(
            f"{folder} holds neither a {MANIFEST_NAME} nor a model file ({', '.join(suffixes())})",
            remedy="Make one with `edgernn export MODEL -o FOLDER`",
        )
    return candidates


def _single(path: Path) -> Candidate:
    found = format_of(path)
    if found is None:
        raise ModelFileError(
            f"{path} is not an artefact ({', '.join(suffixes())}) or a folder of them",
            remedy="Make one with `edgernn export MODEL -o FOLDER`",
        )
    for artefact in read_manifest(path.parent):
        if artefact.name == path.name:
            return _from_manifest(path.parent, artefact)
    return _bare(path, found)


def _from_manifest(folder: Path, artefact: Artefact) -> Candidate:
    path = folder / artefact.name
    if sha256_hex(_content(path)) != artefact.files[0].sha256:
        raise ModelFileError(
            f"{path} is not the file that {folder / MANIFEST_NAME} describes",
            remedy="Export the model again, or move the file out of the folder",
        )
    log = _log(folder, artefact)
    item = Item(
        file=artefact.name,
        sha256=artefact.files[0].sha256,
        model=artefact.model,
        backend=artefact.backend,
        scheme=artefact.scheme.value,
        bytes=artefact.bytes,
        parameters=artefact.source.parameters,
        streaming=artefact.streaming,
        verification=_verification(artefact),
        source_sha256=artefact.source.sha256,
        training=_training(log) if log else None,
        outputs=_outputs(artefact),
    )
    return Candidate(
        item=item,
        path=path,
        extra_files=tuple(folder / file.name for file in artefact.files[1:]),
        states=artefact.states,
        decoder=artefact.decoder,
        outputs=artefact.answer_names,
        labels=artefact.labels or (log.labels if log else ()),
        source=_source(folder, artefact),
        reading=log.settings.reading if log else AS_IT_IS,
        front_end=artefact.front_end or artefact.text,
    )


def _bare(path: Path, found: Format) -> Candidate:
    """A file without a manifest: what it says of itself."""
    content = _content(path)
    facts = own_facts(path, content, found)
    item = Item(
        file=path.name,
        sha256=sha256_hex(content),
        model=path.stem,
        backend=found.name,
        scheme=facts.scheme,
        bytes=len(content),
        parameters=None,
        streaming=False,
        verification="unknown",
        source_sha256=None,
    )
    return Candidate(item=item, path=path, labels=facts.labels, front_end=facts.front_end)


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path}: {error.strerror or error}", remedy="Check the path"
        ) from error


def _verification(artefact: Artefact) -> str:
    verification = artefact.verification
    errors = (verification.original_error, verification.max_error)
    error = next((one for one in errors if one is not None), None)
    if verification.status is VerificationStatus.PASSED and error is not None:
        return f"passed ({error:.0e})"
    return verification.status.value


def _outputs(artefact: Artefact) -> tuple[Shape, ...]:
    shapes = {port.name: port.spec.shape[1:] for port in artefact.outputs}
    return tuple(shapes[name] for name in artefact.answer_names)


def _training(log: TrainingLog) -> Training:
    return Training(
        task=log.settings.task,
        cell=log.settings.cell,
        units=log.settings.units,
        layers=log.settings.layers,
        seconds=log.seconds,
        seconds_to_best=log.seconds_to_best,
        epochs_to_best=log.epochs_to_best,
    )


def _log(folder: Path, artefact: Artefact) -> TrainingLog | None:
    """The training log of this source model, if it is beside the model or beside its artefacts."""
    for place in _places(folder):
        path = log_path(place / artefact.source.file)
        if not path.is_file():
            continue
        log = read_log(path)
        if log.model_sha256 == artefact.source.sha256:
            return log
    return None


def _source(folder: Path, artefact: Artefact) -> Path | None:
    """The Keras file, if it has not changed since the export."""
    for place in _places(folder):
        path = place / artefact.source.file
        if path.is_file() and sha256_hex(_content(path)) == artefact.source.sha256:
            return path
    return None


def _places(folder: Path) -> tuple[Path, ...]:
    """The folders to search for a model's own files: of its artefacts, above them, and this one."""
    return (folder, folder.resolve().parent, Path.cwd())
