"""A second implementation of the document on integer arithmetic: one number at a time."""

from __future__ import annotations

from typing import Any

from edgernn.graph import (
    Gru,
    Lstm,
    RecurrentPlan,
)


def sat(a: int) -> int:
    return max(-32768, min(32767, a))


def mulr(a: int, b: int) -> int:
    return (a * b + 0x4000) >> 15


def table(v: int) -> int:
    c0 = [0, 8023, 15142, 20814, 24958, 27798, 29661, 30848]
    c0 += [31593, 32331, 32606, 32708, 32746, 32760, 32765, 32767]
    c1 = [16526, 15509, 12909, 9729, 6811, 4537, 2914, 1833]
    c1 += [2177, 812, 307, 115, 43, 11, 5, 0]
    c2 = [58, 158, 196, 181, 142, 102, 68, 44, 89, 33, 13, 5, 2, 0, 0, 0]
    u = min(abs(v), 24575)
    w = u + min(u, 8192)
    s, d = w >> 11, (w & 2047) << 3
    y = c0[s] + mulr(d, c1[s] + mulr(d, -16 * c2[s]))
    return -y if v < 0 else y


def product(p: Any, q: list[int]) -> list[int]:
    results = []
    for j in range(p.weights.shape[1]):
        acc = int(p.bias[j]) + sum(q[k] * int(p.weights[k, j]) for k in range(len(q)))
        results.append(mulr(sat(acc >> int(p.shift[j])), int(p.multiplier[j])))
    return results


def gate(plan: RecurrentPlan, p: int) -> int:
    if plan.hard_sigmoid is None:
        return (table(p) >> 1) + 16384
    return max(0, min(32767, mulr(4 * max(-5120, min(5120, p)), 26214) + 16384))


def scalar_steps(layer: Any, plan: RecurrentPlan, xs: list[list[int]]) -> list[list[int]]:
    """h after each step for one sequence of integers, from zeros."""

    def fed(values: list[int]) -> list[int]:
        return values if plan.state_bits == 16 else [sat(v + 128) >> 8 for v in values]

    units = layer.units
    h, c, outputs = [0] * units, [0] * units, []
    for x in xs:
        px, ph = product(plan.input, x), product(plan.recurrent, fed(h))

        def part(values: list[int], k: int) -> list[int]:
            return values[k * units : (k + 1) * units]

        def opened(k: int, px: list[int] = px, ph: list[int] = ph) -> list[int]:
            return [gate(plan, sat(a + b)) for a, b in zip(part(px, k), part(ph, k), strict=True)]

        if isinstance(layer, Gru):
            z, r = opened(0), opened(1)
            if layer.reset_after:
                hh = [mulr(a, b) for a, b in zip(r, part(ph, 2), strict=True)]
            else:
                reset = fed([mulr(a, b) for a, b in zip(r, h, strict=True)])
                hh = part(product(plan.recurrent, reset), 2)
            pn = [sat(a + b) for a, b in zip(part(px, 2), hh, strict=True)]
            n = [table(sat(p + p)) for p in pn]
            h = [(z[j] * n[j] + (32768 - z[j]) * h[j] + 0x4000) >> 15 for j in range(units)]
        elif isinstance(layer, Lstm):
            i, f, o = opened(0), opened(1), opened(3)
            pc = [sat(a + b) for a, b in zip(part(px, 2), part(ph, 2), strict=True)]
            n = [table(sat(p + p)) for p in pc]
            assert plan.cell_exponent is not None
            h = [0] * units
            for j in range(units):
                e = int(plan.cell_exponent[j])
                total = (32768 - f[j]) * c[j] + ((i[j] * n[j]) >> e) + 0x4000
                assert -(2**31) <= total < 2**31
                c[j] = max(-32767, min(32767, total >> 15))
                largest = 24575 >> (e - 3)
                h[j] = mulr(o[j], table(max(-largest, min(largest, c[j])) * 2 ** (e - 3)))
        else:
            pre = [sat(a + b) for a, b in zip(px, ph, strict=True)]
            h = [table(sat(p + p)) for p in pre]
        outputs.append(h)
    return outputs
