"""How every benchmark shows its result: what, against what, the ratio, the bar, met or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One line of the table; `ratio` and `bar` are in the same unit."""

    what: str
    measured: str
    against: str
    ratio: float
    bar: float
    at_least: bool = False
    """Whether the bar is a floor; otherwise it is a ceiling."""
    unit: str = "x"

    @property
    def is_met(self) -> bool:
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar

    def cells(self) -> tuple[str, ...]:
        bound = "at least" if self.at_least else "at most"
        ratio, bar = f"{self.ratio:.2f} {self.unit}", f"{bound} {self.bar:g} {self.unit}"
        verdict = "met" if self.is_met else "NOT MET"
        return (self.what, self.measured, self.against, ratio, bar, verdict)


HEADINGS = ("what", "measured", "against", "ratio", "bar", "")


def show(results: list[Result]) -> int:
    """Print the table; the number of bars that were not met, for `sys.exit`."""
    rows = [HEADINGS, *(result.cells() for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    rule = "  ".join("-" * width for width in widths)
    print("\n".join(line.rstrip() for line in [lines[0], rule, *lines[1:]]), flush=True)
    return sum(not result.is_met for result in results)
