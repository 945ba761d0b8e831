"""Findings of the gradient doctor: what can be wrong, what helps, and the report that says so."""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.tables import titled
from scalargrad.support.words import plural

# What helps against each kind of finding; the most serious first.
REMEDIES = {
    "nan or inf": "Keep the operation inside its domain: a loss that takes logits, log(x + 1e-9), a smaller learning "
    "rate. `with anomaly_detection():` stops at the line where it happens.",
    "parameter replaced": "Change the number inside the parameter: `w.data -= lr * w.grad`, or optimizer.step().",
    "stale data": "Change .data only after backward(), and compute the loss anew in every step.",
    "gradients accumulate": "Set the gradients to 0 once a step, before backward(): model.zero_grad(), or "
    "`p.grad = 0.0` for every p. If they are carried over on purpose (momentum by hand), nothing is wrong.",
    "backward twice": "Call backward() once for each loss, or set the gradients to 0 before the second call. "
    "If the sum is what you want, nothing is wrong.",
    "not reached": "Compute with the Value itself: .data, float(), detach(), no_grad() and comparisons let no gradient "
    "through. A parameter that is not meant to learn: leave it out of the list.",
    "nothing moves": "Look at the learning rate (is it 0?) and call optimizer.step() with these parameters "
    "after backward().",
    "steps too large": "Divide the learning rate by 3 or by 10, until the loss falls from step to step.",
    "gradients explode": 'Start from smaller weights (init="he" or "xavier"), scale the inputs to about 1, '
    "or clip with clip_grad_norm().",
    "gradients vanish": 'Use relu in place of tanh or sigmoid, init="he" or "xavier", or fewer layers.',
    "units off": 'Such a unit passes no gradient and cannot recover: start again with init="he", a smaller learning '
    'rate, or activation="gelu".',
}

Place = tuple[str, int]  # a file and a line


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    kind    a key of REMEDIES
    where   "train.py:14"; "" where no line is known
    what    what happened
    remedy  what to do about it
    code    the text of that line
    """

    kind: str
    where: str
    what: str
    remedy: str
    code: str = ""


@dataclass
class Report:
    """The `findings` of `diagnose`, the most serious first. Print it, or show it in a notebook."""

    findings: list[Finding] = field(default_factory=list)
    seen: str = "the block is still running"

    def __str__(self) -> str:
        return "\n\n".join([self._title(), *(_as_text(number, found) for number, found in enumerate(self.findings, 1))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(
            f'<li style="margin:8px 0"><b>{escaped(found.kind)}</b>{_as_code(found.where)}{_as_code(found.code)}'
            f"<br/>{escaped(found.what)}<br/><b>Remedy:</b> {escaped(found.remedy)}</li>"
            for found in self.findings
        )
        return titled(self._title(), f'<ol style="margin:4px 0;padding-left:24px">{items}</ol>' if items else "")

    def _title(self) -> str:
        count = len(self.findings)
        return f"diagnose: {plural(count, 'finding') if count else 'nothing found'} ({self.seen})"


def _as_text(number: int, found: Finding) -> str:
    paragraphs = [found.what, f"Remedy: {found.remedy}"]
    head = "  ".join(filter(None, [f"{number}. {found.kind}", found.where, found.code]))
    return "\n".join([head, *(textwrap.indent(textwrap.fill(text, 104), "   ") for text in paragraphs)])


def _as_code(text: str) -> str:
    return f' <code style="background:none;color:inherit;font-size:12px">{escaped(text)}</code>' if text else ""


def place_in_words(place: Place | None) -> str:
    """`train.py:14`, or "" where no line is known."""
    return f"{Path(place[0]).name}:{place[1]}" if place else ""


def at(place: Place | None) -> str:
    return f" at {place_in_words(place)}" if place else ""
