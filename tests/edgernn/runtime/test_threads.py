"""Threads over the sequences of a batch: the bits of one thread, and none where none were built."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.errors import DataError
from edgernn.export.native import lower
from tests.edgernn.runtime.models import cell, graph_of, random_integer_cell
from tests.edgernn.runtime.test_model import two_inputs
from tests.edgernn.runtime.toolchain import C_TESTS, HOST, LIBRARY, SOURCES, STANDARD, run, tool

WITH_THREADS = ("-DERNN_THREADS", "-pthread")
STRICT = ("-O0", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-DERNN_PORTABLE")


@pytest.fixture(scope="module")
def content() -> bytes:
    """An integer model with one input and one output."""
    for seed in range(100):
        graph = random_integer_cell(seed)[0]
        if len(graph.inputs) == len(graph.outputs) == 1:
            return lower(graph, metadata={}).content
    raise AssertionError("no cell has one input and one output")


@pytest.fixture(scope="module")
def model(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("threads") / "model.ernn"
    path.write_bytes(content)
    return path


def test_threads_give_the_bits_of_one_and_allocate_nothing(model: Path, tmp_path: Path) -> None:
    """Also in a forked process, which has no threads but its own."""
    program = HOST.build(
        tmp_path / "threads", C_TESTS / "threads.c", flags=(*STRICT, *WITH_THREADS)
    )
    lines = [line.split() for line in HOST.run(program, model).splitlines()]
    assert [line[:2] for line in lines] == [[str(n), "success"] for n in (1, 2, 3, 4)]
    assert len({word for line in lines for word in line[2:5]}) == 1
    assert all(line[5:] == ["0"] for line in lines)


def test_a_build_without_threads_links_without_them_and_says_so(
    model: Path, tmp_path: Path
) -> None:
    program = HOST.build(tmp_path / "threads", C_TESTS / "threads.c", flags=STRICT)
    first, *others = HOST.run(program, model).splitlines()
    assert first.startswith("1 success")
    assert [line[2:] for line in others] == [
        "this build has no threads: compile the library with ERNN_THREADS"
    ] * 3


def test_where_the_system_refuses_a_thread_none_is_left(model: Path, tmp_path: Path) -> None:
    renamed = ("-Dpthread_create=refusing_create", "-Dpthread_join=counting_join")
    flags = (*STRICT, *WITH_THREADS, *renamed)
    program = HOST.build(tmp_path / "refused", C_TESTS / "refused_threads.c", flags=flags)
    assert HOST.run(program, model) == "the system refused to start a thread: 0 of 2 left\n"


def test_threads_do_not_race(model: Path, tmp_path: Path) -> None:
    program = tmp_path / "threads"
    sanitizer = ("-fsanitize=thread", "-fno-sanitize-recover=all", "-g", "-O1")
    build = (*STANDARD, "-D_GNU_SOURCE", "-DERNN_PORTABLE", "-DERNN_UNROLL=", *WITH_THREADS)
    command: list[str | Path] = [tool("clang"), *build, *sanitizer, "-I", str(LIBRARY)]
    run([*command, *SOURCES, C_TESTS / "threads.c", "-o", program])
    lines = run([program, model]).splitlines()
    assert len({word for line in lines for word in line.split()[2:5]}) == 1


@pytest.mark.parametrize("batch", [1, 2, 5, 64, 70])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_model_with_threads_gives_the_bits_of_one_thread(threads: int, batch: int) -> None:
    rng = np.random.default_rng(3)
    for kind in ("GRU", "LSTM"):
        graph = graph_of(cell(kind.lower(), rng, units=24, features=10), features=10)
        content = lower(graph, metadata={}).content
        x = rng.normal(size=(batch, 17, 10)).astype(np.float32)
        alone, shared = edgernn.Model(content)(x), edgernn.Model(content, threads=threads)(x)
        assert shared.tobytes() == alone.tobytes()


def test_an_error_in_one_share_is_that_of_the_call_and_the_next_call_works() -> None:
    model = edgernn.Model(lower(two_inputs(), metadata={}).content, threads=3)
    tokens, static = np.zeros((9, 4), np.int32), np.zeros((9, 4), np.float32)
    expected = model(tokens, static)
    for row in (0, 4, 8):  # in the share of each thread
        wrong = tokens.copy()
        wrong[row, 1] = 11
        with pytest.raises(DataError, match="vocabulary"):
            model(wrong, static)
    assert model(tokens, static).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ValueError), (65, ValueError), (2.0, TypeError)]
)
def test_a_number_of_threads_out_of_range_is_refused(
    content: bytes, threads: int, error: type[Exception]
) -> None:
    with pytest.raises(error, match="threads must be"):
        edgernn.Model(content, threads=threads)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_a_session_that_is_dropped_ends_its_threads(content: bytes) -> None:
    def running() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    gc.collect()  # what earlier tests left
    before = running()
    model = edgernn.Model(content, threads=4)
    model(np.zeros((8, 3, model.free_inputs[0].width), np.float32))
    assert running() == before + 3
    del model
    gc.collect()  # a model and its idle sessions hold each other
    end = time.monotonic() + 10
    while running() > before and time.monotonic() < end:
        time.sleep(0.01)  # the system lists a thread a little longer than it runs
    assert running() == before
