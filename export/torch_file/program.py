"""The program in a .pt2 file as values: what is called, with which arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.torch_file.archive import EXPORT_AGAIN

MAX_CALLS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that an earlier call, a parameter or an input has."""

    name: str


#: A size: a number, or the text of an expression where it is free.
Size: TypeAlias = int | str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One operator of ATen.

    target: its name without "torch.ops." ("aten.gru.input"); module: the path of the module that
    called it ("encoder.gru"), empty for the model itself.
    """

    target: str
    arguments: Mapping[str, Any]
    outputs: tuple[str, ...]
    module: str = ""

    @property
    def kind(self) -> str:
        """The name without namespace and overload: "gru"."""
        parts = self.target.split(".")
        return parts[1] if len(parts) > 2 else parts[-1]

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.module or (self.outputs[0] if self.outputs else self.kind)

    def get(self, name: str, default: Any = None) -> Any:
        return self.arguments.get(name, default)

    def unsupported(self, reason: str, remedy: str) -> UnsupportedLayer:
        """To be raised."""
        return UnsupportedLayer(
            layer=self.label, kind=self.target, where="the exported program", reason=reason,
            remedy=remedy,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A whole program.

    inputs: names of what is given to forward(); outputs: what it returns; stored: the name of the
    array for each parameter, buffer and constant; sizes and dtypes: of each value.
    """

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stored: Mapping[str, str]
    sizes: Mapping[str, tuple[Size, ...]]
    dtypes: Mapping[str, int]
    torch_version: str = field(default="")


def parsed(document: Mapping[str, Any]) -> Program:
    """The program of a JSON document, as schema version 8 has it.

    Raises ModelFileError, and what a wrong type or a missing key raises.
    """
    module = document["graph_module"]
    graph, signature = module["graph"], module["signature"]
    version = int(document["schema_version"]["major"])
    if version != 8:
        raise ModelFileError(
            f"the program has the schema version {version}; edgernn reads 8",
            remedy="Save the model again with torch.export.save of PyTorch 2.13",
        )
    if len(graph["nodes"]) > MAX_CALLS:
        raise ModelFileError(
            f"the program has {len(graph['nodes']):,} operators (at most {MAX_CALLS:,})",
            remedy="Use torch.nn.GRU or LSTM instead of loops over cells, which are unrolled",
        )
    stored, inputs = _inputs(signature["input_specs"])
    return Program(
        calls=tuple(map(_call, graph["nodes"])),
        inputs=inputs,
        outputs=_outputs(signature["output_specs"]),
        stored=stored,
        sizes={name: _sizes(meta["sizes"]) for name, meta in graph["tensor_values"].items()},
        dtypes={name: int(meta["dtype"]) for name, meta in graph["tensor_values"].items()},
        torch_version=str(document.get("torch_version", "")),
    )


def _inputs(specs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], tuple[str, ...]]:
    stored: dict[str, str] = {}
    inputs: list[str] = []
    for spec in specs:
        ((kind, entry),) = spec.items()
        match kind:
            case "parameter" | "buffer" | "tensor_constant":
                stored[str(entry["arg"]["name"])] = str(entry[f"{kind}_name"])
            case "user_input":
                argument = _value(entry["arg"])
                if isinstance(argument, Ref):
                    inputs.append(argument.name)
                elif argument is not None:
                    raise ModelFileError(
                        "forward() takes an argument that is no tensor",
                        remedy="Fix it in the model: give forward() tensors only",
                    )
            case "constant_input":
                continue  # a number, text or None: the program was traced with it
            case _:
                raise ModelFileError(
                    f"the program has an input of the kind '{kind}'", remedy=EXPORT_AGAIN
                )
    return stored, tuple(inputs)


def _outputs(specs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    outputs: list[str] = []
    for spec in specs:
        ((kind, entry),) = spec.items()
        if kind != "user_output":
            raise ModelFileError(
                f"the program changes its own buffers ({kind})",
                remedy="Call model.eval() before the export, and give states as arguments",
            )
        value = _value(entry["arg"])
        if isinstance(value, Ref):
            outputs.append(value.name)
        elif value is not None:
            raise ModelFileError(
                "forward() returns something that is no tensor",
                remedy="Return tensors only, and export the model again",
            )
    return tuple(outputs)


def _call(node: Mapping[str, Any]) -> Call:
    outputs: list[str] = []
    for entry in node["outputs"]:
        value = _value(entry)
        several = value if isinstance(value, list) else [value]
        outputs += [one.name if isinstance(one, Ref) else "" for one in several]
    return Call(
        target=str(node["target"]).removeprefix("torch.ops."),
        arguments={str(entry["name"]) or str(at): _value(entry["arg"])
                   for at, entry in enumerate(node["inputs"])},
        outputs=tuple(outputs),
        module=_module(node.get("metadata", {}).get("nn_module_stack", "")),
    )  # fmt: skip


def _module(stack: str) -> str:
    """The innermost path of "L__self__,,m.Net;L__self__gru,gru,torch.nn.modules.rnn.GRU"."""
    parts = stack.rpartition(";")[2].split(",")
    path = parts[1] if len(parts) == 3 else ""
    return "" if path.startswith("_empty") else path.partition("@")[0]


def _value(argument: Any) -> Any:
    """A number, text, None, Ref, or a list of those."""
    if not isinstance(argument, Mapping):
        return argument
    if set(argument) == {"name"}:
        return Ref(str(argument["name"]))
    ((kind, content),) = argument.items()
    match kind:
        case "as_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool" if isinstance(
            content, Mapping
        ):
            return _symbol(content)
        case "as_name":
            return Ref(str(content))
        case "as_none":
            return None
        case "as_tensors" | "as_sym_ints" | "as_optional_tensors" | "as_nested_tensors":
            return [_symbol(one) for one in content]
        case _:
            return content


def _symbol(content: Mapping[str, Any]) -> Any:
    """{"name": ...}, {"as_name": ...}, {"as_int": ...} or {"as_tensor": ...}."""
    return _value(content)


def _sizes(entries: Sequence[Mapping[str, Any]]) -> tuple[Size, ...]:
    return tuple(
        int(entry["as_int"]) if "as_int" in entry else str(entry["as_expr"]["expr_str"])
        for entry in entries
    )
