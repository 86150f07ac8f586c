"""Which runtime is in what a user gives, for which processor: libraries made here by clang."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from edgernn.devices.runners import user_libraries
from edgernn.devices.runners.elf import shared_object
from edgernn.devices.runners.outcome import Skipped
from edgernn.devices.runners.user_libraries import found_library

TARGETS = {
    "arm64-v8a": "aarch64-linux-android24",
    "armeabi-v7a": "armv7a-linux-androideabi24",
    "x86_64": "x86_64-linux-android24",
}
ORT = "void OrtGetApiBase(void) {}"
TFLITE = "void TfLiteModelCreateFromFile(void) {}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes a library from a line of C."""
    if not shutil.which("clang") or not shutil.which("ld.lld"):
        pytest.skip("clang and lld are missing: apt-get install clang lld")
    folder = tmp_path_factory.mktemp("libraries")

    def make(source, abi="arm64-v8a", *flags):
        path = folder / "made.so"
        subprocess.run(
            [
                *("clang", f"--target={TARGETS[abi]}", "-w", "-nostdlib", "-shared", "-fPIC"),
                *("-fuse-ld=lld", *flags, "-x", "c", "-", "-o", path),
            ],
            input=source.encode(),
            check=True,
            capture_output=True,
        )
        return path.read_bytes()

    return make


@pytest.fixture
def package(tmp_path):
    """Makes an AAR of libraries by their paths in it."""

    def make(files, name="some.aar"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("classes.jar", b"")
            for path, content in files.items():
                archive.writestr(path, content)
        return tmp_path / name

    return make


@pytest.mark.parametrize("abi", TARGETS)
def test_a_library_tells_its_abi_its_functions_and_what_it_needs(made, abi):
    content = made("void other(void); void mine(void) { other(); }", abi)
    about = shared_object(content, ("mine", "other", "min", "ine"))
    assert about is not None
    assert about.abi == abi
    assert about.symbols == {"mine"}


def test_what_is_no_library_or_cut_short_is_none(made):
    content = made(ORT)
    assert shared_object(b"", ("OrtGetApiBase",)) is None
    assert shared_object(b"MZ" + bytes(100), ("OrtGetApiBase",)) is None
    for size in range(0, len(content), 97):
        about = shared_object(content[:size], ("OrtGetApiBase",))
        assert about is None or "OrtGetApiBase" in about.symbols


def elf(strings, symbols, *, entry_bytes=64, entries=2):
    """A library for arm64 with a table of functions, all named by the first of the strings."""
    table = struct.pack("<IBBHQQ", 0, 0, 0, 1, 0, 0) * symbols
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", header, 18, 183)
    struct.pack_into("<Q", header, 40, 64 + len(strings) + len(table))
    struct.pack_into("<HH", header, 58, entry_bytes, entries)
    at = 64 + len(strings)
    sections = struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, at, len(table), 1, 0, 0, 24)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 64, len(strings), 0, 0, 0, 0)
    return bytes(header) + strings + table + sections


def test_sections_that_lie_on_top_of_each_other_are_refused():
    assert shared_object(elf(b"a\0", 1), ("a",)) is not None
    assert shared_object(elf(b"a\0", 1, entry_bytes=0, entries=2), ("a",)) is None


def test_names_that_nobody_asked_for_take_no_memory():
    content = elf(b"a" * 1_000_000 + b"\0", 100)
    tracemalloc.start()
    about = shared_object(content, ("a",))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert about is not None
    assert not about.symbols
    assert peak_bytes < 3_000_000


@pytest.mark.parametrize("kind", ["package", "folder"])
def test_more_than_a_runtime_can_have_is_not_read(monkeypatch, package, tmp_path, kind):
    content = {f"{name}.so": elf(b"OrtGetApiBase\0", 1) for name in "ab"}
    monkeypatch.setattr(user_libraries, "MOST_BYTES", 2 * len(content["a.so"]) - 1)
    path = package(content) if kind == "package" else tmp_path / "folder"
    if kind == "folder":
        path.mkdir()
        for name, library in content.items():
            (path / name).write_bytes(library)
    found = found_library([path], "onnx", ["arm64-v8a"])
    assert isinstance(found, Skipped)
    assert f"the libraries in {path} have more than" in found.reason


def test_the_best_abi_of_the_device_that_the_package_has_is_taken(made, package):
    path = package(
        {
            f"jni/{abi}/libonnxruntime.so": made(ORT, abi)
            for abi in ("x86_64", "armeabi-v7a", "arm64-v8a")
        }
    )
    for abis, best in ((("arm64-v8a", "armeabi-v7a"), "arm64-v8a"), (("x86", "x86_64"), "x86_64")):
        found = found_library([path], "onnx", abis)
        assert not isinstance(found, Skipped)
        assert found.about.abi == best


def test_who_only_calls_the_runtime_is_not_taken_for_it(made, package):
    caller = made("void OrtGetApiBase(void); void JNI_OnLoad(void) { OrtGetApiBase(); }")
    path = package({"jni/arm64-v8a/a4j.so": caller, "jni/arm64-v8a/b.so": made(ORT)})
    found = found_library([path], "onnx", ["arm64-v8a"])
    assert not isinstance(found, Skipped)
    assert found.name == "b.so"


def test_each_back_end_finds_its_own_among_several(made, package, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "libtensorflowlite_jni.so").write_bytes(made(TFLITE))
    paths = [package({"jni/arm64-v8a/libonnxruntime.so": made(ORT)}), folder]
    for backend, name in (("onnx", "libonnxruntime.so"), ("tflite", "libtensorflowlite_jni.so")):
        found = found_library(paths, backend, ["arm64-v8a"])
        assert not isinstance(found, Skipped)
        assert found.name == name


def test_a_library_file_by_itself_will_do(made, tmp_path):
    (tmp_path / "mine.so").write_bytes(made(ORT, "armeabi-v7a"))
    found = found_library([tmp_path / "mine.so"], "onnx", ["arm64-v8a", "armeabi-v7a"])
    assert not isinstance(found, Skipped)
    assert found.about.abi == "armeabi-v7a"


def test_what_it_wants_loaded_comes_along_with_what_that_wants(made, package, tmp_path):
    content: dict[str, bytes] = {}
    needs: list[Path] = []
    for name, source in {
        "libdeep.so": "void deep(void) {}",
        "libhelp.so": "void deep(void); void help(void) { deep(); }",
        "libonnxruntime.so": f"void help(void); {ORT} void use(void) {{ help(); }}",
    }.items():
        content[f"jni/arm64-v8a/{name}"] = made(source, "arm64-v8a", f"-Wl,-soname,{name}", *needs)
        (tmp_path / name).write_bytes(content[f"jni/arm64-v8a/{name}"])
        needs = [tmp_path / name]
    content["jni/arm64-v8a/libother.so"] = made("void other(void) {}")
    content["jni/x86_64/libhelp.so"] = made("void help(void) {}", "x86_64")
    found = found_library([package(content)], "onnx", ["arm64-v8a"])
    assert not isinstance(found, Skipped)
    assert [each.name for each in found.companions] == ["libhelp.so", "libdeep.so"]
    assert {each.about.abi for each in found.companions} == {"arm64-v8a"}


def test_libraries_that_want_each_other_come_along_once(made, package, tmp_path):
    helps = made("void help(void) {}", "arm64-v8a", "-Wl,-soname,libhelp.so")
    (tmp_path / "libhelp.so").write_bytes(helps)
    source = f"void help(void); {ORT} void use(void) {{ help(); }}"
    named = "-Wl,-soname,libonnxruntime.so"
    runtime = made(source, "arm64-v8a", named, tmp_path / "libhelp.so")
    (tmp_path / "libonnxruntime.so").write_bytes(runtime)
    source = "void OrtGetApiBase(void); void help(void) { OrtGetApiBase(); }"
    helps = made(source, "arm64-v8a", "-Wl,-soname,libhelp.so", tmp_path / "libonnxruntime.so")
    folder = "jni/arm64-v8a"
    path = package({f"{folder}/libhelp.so": helps, f"{folder}/libonnxruntime.so": runtime})
    found = found_library([path], "onnx", ["arm64-v8a"])
    assert not isinstance(found, Skipped)
    assert [each.name for each in found.companions] == ["libhelp.so"]


def test_a_package_for_other_processors_is_skipped_by_their_names(made, package):
    path = package({"jni/x86_64/libonnxruntime.so": made(ORT, "x86_64")}, "x.aar")
    found = found_library([path], "onnx", ["arm64-v8a"])
    assert found == Skipped(reason="x.aar is for x86_64, the device for arm64-v8a")


def test_another_runtime_is_skipped_with_what_to_give(made, package):
    path = package({"jni/arm64-v8a/libonnxruntime.so": made(ORT)}, "x.aar")
    found = found_library([path], "tflite", ["arm64-v8a"])
    assert isinstance(found, Skipped)
    assert "no TfLiteModelCreateFromFile in x.aar" in found.reason
    assert "--android-runtime tensorflow-lite.aar" in found.reason


def test_litert_with_its_own_interface_is_told_from_tensorflow_lite(made, package):
    library = made("void LiteRtCreateEnvironment(void) {}")
    path = package({"jni/arm64-v8a/libLiteRt.so": library})
    found = found_library([path], "tflite", ["arm64-v8a"])
    assert isinstance(found, Skipped)
    assert "LiteRT's own interface" in found.reason
    assert "org.tensorflow:tensorflow-lite" in found.reason


def test_a_file_that_is_neither_is_skipped_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    found = found_library([tmp_path / "notes.txt"], "onnx", ["arm64-v8a"])
    assert isinstance(found, Skipped)
    assert "notes.txt is none of these" in found.reason


@pytest.mark.parametrize("how", ["damaged", "encrypted", "an unknown method"])
def test_a_package_that_cannot_be_unpacked_is_skipped_by_name(tmp_path, how):
    path = tmp_path / "some.aar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("libonnxruntime.so", bytes(range(256)) * 100)
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    if how == "damaged":
        content[60:100] = b"\xff" * 40
    elif how == "encrypted":
        content[directory + 8] |= 1
    else:
        content[directory + 10] = 99
    path.write_bytes(content)
    found = found_library([path], "onnx", ["arm64-v8a"])
    assert isinstance(found, Skipped)
    assert "--android-runtime takes an AAR" in found.reason
    assert "some.aar" in found.reason
