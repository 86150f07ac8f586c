"""The HDF5 reader against files that libhdf5 wrote, and against damaged ones."""

from __future__ import annotations

import io
from contextlib import suppress

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.export.keras.hdf5 import Group, Hdf5Error, open_hdf5
from tests.export.keras.archives import LEGACY


def written(fill) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def opened(content: bytes) -> Group:
    return open_hdf5(io.BytesIO(content), len(content))


def array(group: Group, path: str) -> np.ndarray:
    dataset = group.dataset(path)
    assert dataset is not None
    return dataset.read()


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "i1", "<i4", ">u2"])
def test_numbers_of_every_kind_become_float32(dtype):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    group = opened(written(lambda file: file.create_dataset("a/b", data=values)))
    read = array(group, "a/b")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.astype(np.float32))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 4)])
def test_shapes_are_kept(shape):
    values = np.full(shape, 2.5, np.float32)
    group = opened(written(lambda file: file.create_dataset("x", data=values)))
    np.testing.assert_array_equal(array(group, "x"), values)


def test_bfloat16_is_the_upper_half_of_float32():
    def fill(file):
        halves = (np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
        dataset = file.create_dataset("x", data=halves.view("V2"))
        dataset.attrs["dtype"] = "bfloat16"

    np.testing.assert_array_equal(array(opened(written(fill)), "x"), [1.5, -2.0])


def test_groups_of_thousands_are_found_again():
    """More names than one node of the tree holds."""

    def fill(file):
        for number in range(3000):
            file[f"layers/dense_{number}/vars/0"] = np.float32(number)

    group = opened(written(fill))
    layers = group.group("layers")
    assert layers is not None
    assert len(layers.names()) == 3000
    for number in (0, 1, 777, 2999):
        assert array(group, f"layers/dense_{number}/vars/0") == number


@pytest.mark.parametrize("count", [1, 8, 9, 700, 20_000])
def test_names_beyond_ascii_are_found_again(count):
    """libhdf5 keeps the links of such a group elsewhere, and more than eight in a heap."""

    def fill(file):
        for number in range(count):
            file[f"layers/größe{number}{'x' * (number % 40)}/kernel"] = np.float32(number)

    layers = opened(written(fill)).group("layers")
    assert layers is not None
    assert len(layers.names()) == count
    for number in {0, count // 3, count - 1}:
        assert array(layers, f"größe{number}{'x' * (number % 40)}/kernel") == number


def test_texts_are_read_whatever_way_they_are_stored():
    def fill(file):
        file.attrs["variable"] = "größer"
        file.attrs["fixed"] = np.bytes_(b"fixed")
        file.attrs["names"] = [b"kernel:0", b"bias:0"]
        file.attrs["objects"] = np.array(["a", "bc"], dtype=h5py.string_dtype())
        file.attrs["long"] = "x" * 300_000
        file.attrs["number"] = 3.0
        file.attrs["none"] = np.zeros(0)

    group = opened(written(fill))
    assert group.text("variable") == "größer"
    assert group.text("fixed") == "fixed"
    assert group.texts("names") == ["kernel:0", "bias:0"]
    assert group.texts("objects") == ["a", "bc"]
    assert group.text("long") == "x" * 300_000
    assert group.text("number") is None
    assert group.texts("none") == []
    assert group.text("missing") is None


def test_what_is_missing_is_none():
    group = opened(written(lambda file: file.create_dataset("a/x", data=np.zeros(2))))
    assert group.group("b") is None
    assert group.group("a/x") is None
    assert group.dataset("a") is None
    assert group.dataset("a/y") is None
    assert group.dataset("a/x/z") is None
    assert "a" in group


def test_links_out_of_the_file_are_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(3, np.float32)

    def fill(file):
        file["outside"] = h5py.ExternalLink(str(secret), "x")
        file["here"] = np.zeros(2, np.float32)

    group = opened(written(fill))
    assert group.names() == ["here"]
    assert group.dataset("outside") is None


def test_an_array_in_another_file_is_refused(tmp_path):
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(16))

    def fill(file):
        file.create_dataset("x", (4,), "f4", external=[(str(raw), 0, 16)])

    with pytest.raises(Hdf5Error, match="another file"):
        opened(written(fill)).dataset("x")


@pytest.mark.parametrize("options", [{"chunks": (2,)}, {"compression": "gzip"}])
def test_storage_that_keras_does_not_use_is_refused(options):
    def fill(file):
        file.create_dataset("x", data=np.zeros(4, np.float32), **options)

    with pytest.raises(Hdf5Error, match="Keras"):
        opened(written(fill)).dataset("x")


def test_the_newer_formats_of_hdf5_are_refused():
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="latest") as file:
        file["x"] = np.zeros(2)
    with pytest.raises(Hdf5Error, match="version"):
        opened(stream.getvalue())


def walk(group: Group, depth: int = 0) -> None:
    """Reads all there is, as far as a reader of models would."""
    group.texts("weight_names")
    for name in group.names():
        dataset = group.dataset(name)
        if dataset is not None:
            assert dataset.float32_bytes < 1 << 40 or dataset.shape
            if dataset.float32_bytes < 1 << 20:
                dataset.read()
            continue
        below = group.group(name)
        if below is not None and depth < 12:
            walk(below, depth + 1)


def names_beyond_ascii(file) -> None:
    for number in range(60):
        file[f"größe{number}/kernel"] = np.float32(number)


CONTENT = (LEGACY / "text-2.8.0.h5").read_bytes()
CONTENTS = (CONTENT, written(names_beyond_ascii))
OCCUPIED = [[place for place, byte in enumerate(content) if byte] for content in CONTENTS]


@pytest.mark.parametrize("size", [0, 1, 8, 60, 96, 200, 800, 1000, 4000, 20_000])
def test_a_truncated_file_is_an_error_of_its_own(size):
    with pytest.raises(Hdf5Error):
        walk(opened(CONTENT[:size]))


@pytest.mark.parametrize("number", range(len(CONTENTS)))
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_never_do_worse_than_an_error(number, data):
    content = bytearray(CONTENTS[number])
    change = st.tuples(st.sampled_from(OCCUPIED[number]), st.integers(0, 255))
    for place, byte in data.draw(st.lists(change, min_size=1, max_size=30)):
        content[place] = byte
    with suppress(Hdf5Error):
        walk(opened(bytes(content)))


def test_a_tree_that_runs_in_a_circle_ends():
    content = bytearray(written(lambda file: [file.create_group(f"g{n}") for n in range(400)]))
    inner = [place for place in range(len(content)) if content[place : place + 6] == b"TREE\0\1"]
    assert inner, "the group has a tree of two levels"
    place = inner[0]
    # The first child becomes the node itself, and says that it is a leaf's parent.
    content[place + 32 : place + 40] = place.to_bytes(8, "little")
    with pytest.raises(Hdf5Error):
        opened(bytes(content)).names()
