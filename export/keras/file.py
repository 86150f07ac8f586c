"""Reads .keras and .h5 files without TensorFlow or Keras, and without running code from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from edgernn.artefact import Source
from edgernn.errors import DataError, ModelFileError
from edgernn.export.keras.archive import CONFIG, METADATA, WEIGHTS, Archive, opened_archive
from edgernn.export.keras.builder import Vocabularies
from edgernn.export.keras.call import LayerWeights
from edgernn.export.keras.config import LayerConfig, model_tree, parse_json
from edgernn.export.keras.grids import with_grids
from edgernn.export.keras.hdf5 import Hdf5Error, open_hdf5
from edgernn.export.keras.hdf5_format import SIGNATURE
from edgernn.export.keras.model import Translated, config_errors, translate
from edgernn.export.keras.translations import refuse_unknown
from edgernn.export.keras.variables import store_paths
from edgernn.export.keras.version import KerasVersion, keras_version
from edgernn.export.keras.weights import ArrayReader, legacy_weights, store_weights
from edgernn.export.source_model import SourceModel
from edgernn.recipe import RowRecipe
from edgernn.recipe.keras_file import MEMBER, grids_in, recipe_in
from edgernn.regular_file import opened

_ZIP_MAGIC: Final = b"PK"
_VOCABULARY: Final = "vocabulary.txt"


def read_model(path: Path) -> SourceModel:
    """The model in a .keras or .h5 file.

    Raises ModelFileError if the file is not a complete Keras model or is damaged, UnsupportedLayer
    if edgernn does not support a layer or one of its options.
    """
    magic, bytes_, digest = _fingerprint(path)
    if magic.startswith(_ZIP_MAGIC):
        read = _read_archive
    elif magic == SIGNATURE:
        read = _read_h5
    else:
        raise ModelFileError(
            f"{path.name} is neither a .keras archive nor an .h5 file",
            remedy="Give a model that was saved with model.save('model.keras')",
        )
    with _named(path), config_errors():
        translated, version = read(path)
        front_end, grids = _kept(path) if read is _read_archive else (None, [])
        graph = with_grids(translated.graph, grids, where=path.name)
    source = Source(
        file=path.name,
        sha256=digest,
        bytes=bytes_,
        keras_version=version.text,
        parameters=graph.parameters,
    )
    return SourceModel(
        graph=graph, source=source, warnings=translated.warnings, front_end=front_end
    )


def parameters_of(path: Path) -> int:
    """How many numbers the model in a file stores: the count of train, inspect and profile.

    An array that several layers share counts once.  Statistics of a Normalization count, counters
    that Keras keeps for itself do not.  Raises as `read_model`.
    """
    return read_model(path).graph.parameters


def _fingerprint(path: Path) -> tuple[bytes, int, str]:
    """(first bytes, size, sha256).  Raises ModelFileError if there is no such file."""
    if path.is_dir():
        saved_model = (path / "saved_model.pb").exists()
        raise ModelFileError(
            f"{path} is a folder" + (" with a TensorFlow SavedModel" if saved_model else ""),
            remedy="Save the model as one file with model.save('model.keras')",
        )
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{path} is not a file", remedy="Give the path of a saved model")
    try:
        with opened(path) as file:
            magic = file.read(len(SIGNATURE))
            file.seek(0)
            return magic, path.stat().st_size, _sha256(file)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror or error})", remedy="Check the path"
        ) from error


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _read_archive(path: Path) -> tuple[Translated, KerasVersion]:
    with opened_archive(path) as archive:
        metadata = parse_json(archive.text(METADATA), METADATA)
        version = keras_version(str(metadata.get("keras_version")))
        model = model_tree(parse_json(archive.text(CONFIG), CONFIG))
        refuse_unknown(model)
        with archive.weights() as stream, _hdf5_errors(WEIGHTS):
            file = open_hdf5(stream.file, stream.size_bytes)
            weights = store_weights(file, model, ArrayReader(archive.size_bytes))
        return translate(model, version, _by_path(weights), _words(archive, model)), version


def _kept(path: Path) -> tuple[RowRecipe | None, list[Any]]:
    """The recipe and the grids of weights that edgernn left in the archive."""
    with opened_archive(path) as archive:
        if MEMBER not in archive.zip.namelist():
            return None, []
        text = archive.text(MEMBER)
        try:
            return recipe_in(text, where=path.name), grids_in(text, where=path.name)
        except DataError as error:
            raise ModelFileError(error.what, remedy=error.remedy) from error


def _read_h5(path: Path) -> tuple[Translated, KerasVersion]:
    size_bytes = path.stat().st_size
    with opened(path) as stream, _hdf5_errors(path.name):
        file = open_hdf5(stream, size_bytes)
        config = file.text("model_config")
        if config is None:
            raise ModelFileError(
                f"{path.name} contains only weights, not the model that they belong to",
                remedy="Build the model in Python, load the weights with model.load_weights(...), "
                "and save it with model.save('model.keras')",
            )
        version = keras_version(file.text("keras_version") or "")
        model = model_tree(parse_json(config, "model_config"))
        refuse_unknown(model)
        weights = legacy_weights(file, model, ArrayReader(size_bytes))
    return translate(model, version, _by_path(weights)), version


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Adds the file's name to errors: the parts of a model do not know their file."""
    try:
        yield
    except ModelFileError as error:
        if path.name in error.what:
            raise
        raise ModelFileError(f"{path.name}: {error.what}", remedy=error.remedy) from error


@contextmanager
def _hdf5_errors(what: str) -> Iterator[None]:
    try:
        yield
    except Hdf5Error as error:
        raise ModelFileError(
            f"{what} is damaged, or was not written by Keras: {error}",
            remedy="Copy the file again, or load the model in Keras and save it again",
        ) from error


def _words(archive: Archive, model: LayerConfig) -> Vocabularies:
    """The words that a layer has learnt by adapt(), in the order of their tokens."""
    places = store_paths(model)

    def words(layer: LayerConfig) -> list[str] | None:
        member = f"assets/{places[layer.path]}/{_VOCABULARY}"
        if member not in archive.zip.namelist():
            return None
        try:
            lines = archive.text(member).decode().splitlines()  # as Keras reads them
        except UnicodeDecodeError as error:
            raise layer.damaged(f"has a vocabulary that is not UTF-8 ({error})") from error
        while lines and not lines[-1]:
            lines.pop()
        return lines

    return words


def _by_path(
    weights: Mapping[tuple[str, ...], LayerWeights],
) -> Callable[[LayerConfig], LayerWeights]:
    return lambda layer: weights.get(layer.path, {})
