"""Operators that change a value in place (relu_, add_), as operators that give a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from edgernn.export.torch_file.elementwise import BINARY, FUNCTIONS
from edgernn.export.torch_file.program import Call, Program, Ref
from edgernn.export.torch_file.shaping import SAME

CHANGING: Final = frozenset(
    f"{kind}_" for kind in (*FUNCTIONS, *BINARY, "hardtanh", "relu6", "clamp", "dropout")
)

#: Operators whose result may be a part of their argument's memory.
_VIEWS: Final = frozenset(
    {
        *SAME, "transpose", "permute", "t", "mT", "view", "reshape", "_unsafe_view", "flatten",
        "unflatten", "squeeze", "unsqueeze", "select", "slice", "split", "split_with_sizes",
        "chunk", "unbind", "expand",
    }
)  # fmt: skip


def without_changes(program: Program) -> Program:
    """The program in which no value changes; later readers of a changed one read the new one.

    Raises UnsupportedLayer where another name of the same memory is read after the change: a
    parameter, or a view of the value.
    """
    if not any(call.kind in CHANGING for call in program.calls):
        return program
    last_read = {name: at for at, call in enumerate(program.calls) for name in reads(call)}
    last_read.update(dict.fromkeys(program.outputs, len(program.calls)))
    newest: dict[str, str] = {}
    memory: dict[str, set[str]] = {}
    calls: list[Call] = []
    for at, call in enumerate(program.calls):
        arguments = {key: _renamed(value, newest) for key, value in call.arguments.items()}
        given = [name for name in reads(call)[:1] if call.kind in _VIEWS or call.kind in CHANGING]
        shared = set(given if call.kind in CHANGING else call.outputs).union(
            *(memory.get(name, {name}) for name in given)
        )
        if call.kind not in CHANGING:
            memory.update((name, shared) for name in shared)
            calls.append(replace(call, arguments=arguments))
            continue
        (changed,), (new,) = given, call.outputs
        same = {name for name in shared if _latest(name, newest) == _latest(changed, newest)}
        others = shared - same
        if shared & set(program.stored) or any(last_read.get(name, -1) > at for name in others):
            raise call.unsupported(
                "changes a value that others see", "Leave out inplace=True, and write x = x + y"
            )
        newest[_latest(changed, newest)] = new
        memory.update((name, {*shared, new}) for name in (*shared, new))
        calls.append(replace(call, target=_plain(call.target), arguments=arguments))
    outputs = tuple(_latest(name, newest) for name in program.outputs)
    return replace(program, calls=tuple(calls), outputs=outputs)


def reads(call: Call) -> list[str]:
    """The names of all arguments, in order."""
    names: list[str] = []
    for value in call.arguments.values():
        for one in value if isinstance(value, list) else [value]:
            names += [one.name] if isinstance(one, Ref) else []
    return names


def _plain(target: str) -> str:
    """aten.relu_.default is aten.relu.default."""
    namespace, kind, *overload = target.split(".")
    return ".".join([namespace, kind.removesuffix("_"), *overload])


def _latest(name: str, newest: dict[str, str]) -> str:
    while name in newest:
        name = newest[name]
    return name


def _renamed(value: Any, newest: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, newest) for one in value]
    return Ref(_latest(value.name, newest)) if isinstance(value, Ref) else value
