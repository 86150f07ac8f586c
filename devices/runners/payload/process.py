"""One process, one task, one JSON object on standard output; or a task for each line that comes."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Arrays, pack, unpack
from .greedy import opened
from .machine import machine, memory_high_water_bytes, pin, read_facts
from .marks import make_marked
from .model import Model
from .sessions import SESSIONS, OperatorsMissing, RuntimeMissing, import_runtime
from .timing import measure, one_call

#: Enough calls to allocate every buffer; more would only take longer.
MEMORY_CALLS = 3


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Does the request's `task`.  Raises whatever the runtime raises."""
    reply: dict[str, Any] = {"cpus": pin(request["cpus"]), "machine": machine()}
    session_class = SESSIONS[request["runtime"]]
    start_ns = time.perf_counter_ns()
    runtime, version = import_runtime(session_class.PACKAGES)
    reply["import_ms"] = (time.perf_counter_ns() - start_ns) / 1e6
    reply["versions"] = {**version, "numpy": np.__version__, "python": platform.python_version()}
    reply["runtime_bytes"] = memory_high_water_bytes()
    start_ns = time.perf_counter_ns()
    session = opened(session_class, runtime, request)
    reply["load_ms"] = (time.perf_counter_ns() - start_ns) / 1e6
    return {**reply, **TASKS[request["task"]](Model(session, request), request)}


def describe(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "facts": read_facts(request),
        "inputs": [tensor.described() for tensor in model.session.inputs],
        "outputs": [tensor.described() for tensor in model.session.outputs],
    }


def outputs(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    arrays, index = pack([model.run(case) for case in read_cases(request)])
    np.savez_compressed(request["outputs"], **arrays)  # type: ignore[arg-type]
    return {"index": index}


def latency(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    case = read_cases(request)[0]
    before = read_facts(request)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    measured = measure(one_call(model, case), request)
    return {
        "latency": measured,
        "cpu_s": time.process_time() - start_cpu_s,
        "wall_s": time.perf_counter() - start_s,
        "before": before,
        "after": read_facts(request),
    }


def memory(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    call = one_call(model, read_cases(request)[0])
    for _ in range(MEMORY_CALLS):
        call()
    return {"peak_bytes": memory_high_water_bytes()}


def instructions(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """Makes calls between marks; the emulator counts the instructions and writes them to a file."""
    make_marked(one_call(model, read_cases(request)[0]), calls=request["calls"])
    return {}


TASKS: dict[str, Callable[[Model, Mapping[str, Any]], dict[str, Any]]] = {
    "describe": describe,
    "outputs": outputs,
    "latency": latency,
    "memory": memory,
    "instructions": instructions,
}


def read_cases(request: Mapping[str, Any]) -> list[Arrays]:
    with np.load(request["inputs"], allow_pickle=False) as stored:
        return list(unpack({key: stored[key] for key in stored.files}, request["index"]))


def main(request_path: str) -> None:
    reply_to = _kept_from_runtimes()
    with os.fdopen(reply_to, "w") as out:
        json.dump(replied(request_path), out)


def serve(requests: int, replies: int) -> None:
    """Does what each line of the descriptor `requests` names, until it closes; in this process.

    A line is {"folder": ..., "request": ...}: where to work, and the name of a request there.  Each
    reply is a line, too.
    """
    os.close(_kept_from_runtimes())
    with os.fdopen(requests) as lines, os.fdopen(replies, "w") as out:
        for line in lines:
            work = json.loads(line)
            os.chdir(work["folder"])
            out.write(json.dumps(replied(work["request"])) + "\n")
            out.flush()
            gc.enable()  # timing turns it off
            gc.collect()


def replied(request_path: str) -> dict[str, Any]:
    """The answer to a request; what goes wrong is one, too."""
    request = json.loads(Path(request_path).read_text())
    try:
        return answer(request)
    except RuntimeMissing as error:
        return {"missing": str(error)}
    except OperatorsMissing as error:
        return {"skipped": str(error)}
    except Exception as error:  # noqa: BLE001 - runtimes raise any class; the host decides
        return {"error": f"{type(error).__name__}: {error}"}


def _kept_from_runtimes() -> int:
    """A copy of standard output: runtimes also print to descriptor 1, which is no more it."""
    copy = os.dup(1)
    os.dup2(2, 1)
    return copy
