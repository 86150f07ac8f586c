"""Ways to make the file of one format lose less: finer and finer, the cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from edgernn.export.fine_layers import FineLayers, Fineness
from edgernn.export.in_scheme import Written, with_fine_layers
from edgernn.export.request import Request

#: What a file says of a layer that the search made finer.
_SAID = {
    Fineness.SIXTEEN: "computes with 16 bits, to lose no more than allowed",
    Fineness.FLOAT: "keeps its activations in float32, to lose no more than allowed",
}
_IN_FLOAT = "is in float32, to lose no more than allowed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """The requests that a format may be written by, from the asked one to the last int8 layer.

    First the layers that the study left with 8-bit activations get finer ones, the loudest first:
    int8 weights stay.  Then layers become float32, those that add most noise first.
    """

    asked: Request
    target: str  # the format
    finest: FineLayers  # every layer with the finest activations that the format has
    loudest: tuple[str, ...]  # layers with 8-bit activations in `asked`
    costliest: tuple[str, ...]  # all int8 layers

    def steps(self) -> Iterator[tuple[int, int]]:
        """(layers made finer, layers in float32); the asked one is (0, 0) and not among them."""
        for count in range(1, len(self.loudest) + 1):
            yield count, 0
        for count in range(1, len(self.costliest)):  # with the last one, no layer would be int8
            yield len(self.loudest), count

    def search(
        self, is_enough: Callable[[int, tuple[str, ...]], bool]
    ) -> tuple[int, tuple[str, ...]] | None:
        """The first step that is enough, with what was in float32 in vain made int8 again."""
        for finer, count in self.steps():
            kept = self.costliest[:count]
            if not is_enough(finer, kept):
                continue
            for name in kept[:-1]:  # the last one is needed: without it the search had ended
                without = tuple(other for other in kept if other != name)
                if is_enough(finer, without):
                    kept = without
            return finer, kept
        return None

    def request(self, finer: int, kept: tuple[str, ...]) -> Request:
        """With the first layers of `loudest` made finer, and those of `kept` in float32."""
        chosen = self.loudest[:finer]
        before = (self.asked.fine or {}).get(self.target, FineLayers())

        def of(old: tuple[str, ...], finest: tuple[str, ...]) -> tuple[str, ...]:
            names = [*old, *(name for name in finest if name in chosen)]
            return tuple(name for name in names if name not in kept)

        fine = FineLayers(
            costs=tuple(cost for cost in before.costs if cost.layer not in kept),
            wide=of(before.wide, self.finest.wide),
            in_float=of(before.in_float, self.finest.in_float),
            by_row=of(before.by_row, self.finest.by_row),
        )
        return replace(
            self.asked,
            keep_float=(*self.asked.keep_float, *kept),
            fine={**(self.asked.fine or {}), self.target: fine},
        )

    def details(self, finer: int, kept: tuple[str, ...]) -> dict[str, str]:
        """A sentence for each layer that is finer than in the asked request."""
        how = {cost.layer: cost.chosen for cost in self.finest.costs}
        made_finer = [name for name in self.loudest[:finer] if name not in kept]
        return {
            **{f"layer {name}": _SAID[how[name]] for name in made_finer},
            **{f"layer {name}": _IN_FLOAT for name in kept},
        }


def ladder(written: Written, target: str, noise: Mapping[str, float]) -> Ladder:
    """The ladder of one format.

    noise: of each int8 layer alone, weights and activations, in the integer reference: for layers
    and formats that the study of activations does not know.
    """
    asked = written.request
    before = (asked.fine or {}).get(target)
    finest = FineLayers()
    if before is not None:  # else the format rounds no activations
        alone = replace(asked, fine=None, backends=(target,))
        finest = (with_fine_layers(written.graph, alone, finest=True).fine or {})[target]
    fine = {*finest.wide, *finest.in_float, *finest.by_row}
    left = [cost for cost in (before or finest).costs if cost.chosen is Fineness.EIGHT]
    loudest = sorted(left, key=lambda cost: -cost.activations)
    whole = {**noise, **{cost.layer: cost.weights + cost.left for cost in finest.costs}}
    return Ladder(
        asked=asked,
        target=target,
        finest=finest,
        loudest=tuple(cost.layer for cost in loudest if cost.layer in fine),
        costliest=tuple(
            name
            for name in sorted(whole, key=lambda name: -whole[name])
            if name not in asked.keep_float
        ),
    )
