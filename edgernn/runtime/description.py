"""What `print(edgernn.Model(path))` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgernn.printable import shown
from edgernn.runtime.ports import NativePort

if TYPE_CHECKING:
    from edgernn.runtime.model import Model

_MOST_LABELS = 12


def description(model: Model) -> str:
    """Several lines of text: name, format, scheme, size, inputs, outputs, states and labels.

    Shapes are those of a call of the whole model, batch first.

    >>> print(description(edgernn.Model("gru.ernn")))
    gru.ernn: native model, int8, 20,480 bytes
      input   features (batch, steps, 40) float32
      output  scores (batch, 2) float32
      states  kept by the session; Session.step takes one step a call
      labels  2: no, yes
    """
    scheme = model.metadata.get("scheme", "scheme unknown")
    lines = [f"{shown(model.name)}: native model, {shown(scheme)}, {model.size_bytes:,} bytes"]
    lines += [f"  input   {_port(port)}" for port in model.free_inputs]
    lines += [f"  output  {_port(port)}" for port in model.free_outputs]
    for port in model.inputs:
        if port.state_output is not None:
            source = model.outputs[port.state_output].name
            lines.append(f"  state   {_port(port)}, fed by output {shown(source)}")
    lines.append(
        "  states  kept by the session; Session.step takes one step a call"
        if model.is_streaming
        else "  states  none between calls; the model needs whole sequences"
    )
    if model.text is not None:
        lines.append(f"  text    {model.text.description()}")
    labels = model.labels
    if labels:
        more = ", …" if len(labels) > _MOST_LABELS else ""
        names = ", ".join(map(shown, labels[:_MOST_LABELS]))
        lines.append(f"  labels  {len(labels)}: {names}{more}")
    return "\n".join(lines)


def _port(port: NativePort) -> str:
    steps = [str(port.steps or "steps")] if port.is_sequence else []
    shape = ["batch", *steps, *map(str, port.row_shape)]
    comma = "," if len(shape) == 1 else ""
    return f"{shown(port.name)} ({', '.join(shape)}{comma}) {port.dtype.value}"
