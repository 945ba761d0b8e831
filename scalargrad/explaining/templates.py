"""Sentences about local derivatives and gradients as templates: written here once, filled in here and by pages.

A hole {x} is filled with the name of a value, {x=} with its number, {x:is} with both, w1 = −3, and {x:zero} with "x2,
and x2 is 0". What names there are in the templates of a row, `Op` lists under `rule`; besides, {this} is the operand,
{result} the result, {taken} the operand that is equal to it, {formula} the operation on its operands, {partial} their
ratio, ∂y/∂x, {slope} its number, {rule} the derivative in symbols and numbers, and {whole} with what they give.
"""

from collections.abc import Iterable
from typing import Any

from scalargrad.drawing.formulas import TEXTBOOK, is_infix
from scalargrad.explaining.symbols import RESULT, Term, cases_of, rules_of
from scalargrad.explaining.written import ATOM, COMPARISON, POWER, PRODUCT, SUM
from scalargrad.ops import OPERATIONS, Op

# Gradients are odd that are so small or large, or so small a share of the terms that they are the sum of; a local
# derivative that is flat or steep makes them so by itself. A sentence moves a value by a step.
LIMITS = {"tiny": 1e-3, "huge": 1e4, "cancelled": 1e-6, "flat": 0.01, "steep": 100.0, "step": 0.01}
MOST_ARGUMENTS, MOST_TERMS = 6, 4  # of an operation, of a sum, that are written out

NOUNS = {
    "+": "a sum",
    "sum": "a sum",
    "-": "a difference",
    "*": "a product",
    "/": "a quotient",
    "//": "a whole quotient",
    "%": "a remainder",
    "**": "a power",
}

SENTENCES = {
    # What a gradient says.
    "output": "{x} is the output: its gradient by itself is 1.",
    "rises": "Raise {x} by {step}, and {o} rises by about {change}.",
    "falls": "Raise {x} by {step}, and {o} falls by about {change}.",
    "still": "Move {x} a little, and {o} stays as it is.",
    "none": "Here {o} has no slope by {x} that is a number: {partial} is {gradient}.",
    # Where on the paths it became what it is: a clause for that place, `why`, in one of these.
    "here": "{why}.",
    "on the way": "On the way from {x} to {o}, at {at}: {why}.",
    "dead ends": "Each of the {count} ways from {x} to {o} ends at a 0; one of them: {why}.",
    # It is 0.
    "no path": "{x} reaches {o} only through {ops}, which has no slope to pass on",
    "cancel": "{count} terms of {partial} cancel: {sum} = 0",
    "vanished": "{local} × {upstream} is smaller than the smallest float: 0 is left of it",
    # It is tiny or huge.
    "nearly cancel": "{count} terms of {partial} nearly cancel: {sum} = {gradient}",
    "saturated": "{op} is saturated: where {this} is {this=}, it passes on only {slope} of a change",
    "small": "{formula} is nearly flat where {this} is {this=}: {partial} is {whole}",
    "large": "{formula} is steep where {this} is {this=}: {partial} is {whole}",
    "small factor": "{this} is multiplied by {factor}, a small number",
    "large factor": "{this} is multiplied by {factor}, a large number",
    "many small": "{count} factors multiply to {product}{where}, of which the smallest is {partial} = {slope}",
    "many large": "{count} factors multiply to {product}{where}, of which the largest is {partial} = {slope}",
    "one of many": " on the largest path",
    "paths": "The paths from {x} to {o} add up to {gradient}, and the largest of them gives {product}",
    # It is inf or nan.
    "given": "{x} is {x=}, the first number that is not finite",
    "became": "{x} is {x=}, the first number that is not finite: {numbers}",
    "steep": "{formula} is infinitely steep where {this} is {this=}: {partial} is {slope}",
    "no slope": "{formula} has no slope by {this} where {this} is {this=}: {partial} is {slope}",
    "0 times inf": "{partial} is {slope} and {above} is {upstream}, and 0 × inf is NaN",
    "beyond": "{local} × {upstream} is beyond the largest float",
    "sum": "the terms of {partial} add up to {gradient}: {sum}",
}

# A wrong number that was typed in the quiz: what it is, and the rule that was missed.
GUESSES = {
    "factor": [
        "{this} × {upstream}",
        "A product passes on the other factor: {result} changes by {factor} when {this} changes by 1.",
    ],
    "sign": ["the right size with the other sign", "{partial} is {slope}, and {above} is {upstream}."],
    "local": ["{partial} alone", "What comes from above multiplies it: {above} = {upstream}."],
    "upstream": ["{above} alone", "The local derivative multiplies it: {partial} is {reason}."],
    "term": ["one of its {count} terms, {local} × {upstream}", "{x} is used {count} times, and all terms add up."],
    "data": ["the data of {x}", "The gradient says how much {o} changes when {x} changes by 1."],
}


def words_for_pages(operations: Iterable[str]) -> dict[str, Any]:
    """All that a page needs to speak of a graph of these operations, as JSON can carry it.

    rows       for each operation its derivatives: terms, reasons, what to say where one is 0
    spellings  how operations are written
    sentences  what is said of gradients, and `guesses` of wrong ones
    limits     where gradients are called tiny, and so on
    """
    rows = {name: row_in_words(OPERATIONS[name]) for name in dict.fromkeys(operations)}
    used = _heads([place["cases"] for row in rows.values() for place in row["places"]])
    spellings = {name: _spelling(OPERATIONS[name]) for name in sorted({*rows, *used})}
    most = {"arguments": MOST_ARGUMENTS, "terms": MOST_TERMS}
    return {
        "rows": rows,
        "spellings": spellings,
        "sentences": SENTENCES,
        "guesses": GUESSES,
        "limits": {**LIMITS, **most},
    }


def _heads(term: object) -> set[str]:
    """The operations in a term, and in lists of terms."""
    if not isinstance(term, list | tuple):
        return set()
    heads = {term[0]} if term and isinstance(term[0], str) and term[0] in OPERATIONS else set()
    return heads.union(*map(_heads, term))


LEVELS = {"+": SUM, "-": SUM, **dict.fromkeys(("*", "/", "//", "%"), PRODUCT), "**": POWER}


def _spelling(op: Op) -> dict[str, Any]:
    """How pages write an operation: its sign, where that stands, and how strongly it binds."""
    sign = TEXTBOOK.signs.get(op.symbol, op.symbol)
    if is_infix(op):
        level = LEVELS.get(op.symbol, COMPARISON)
        return {"kind": "between", "sign": sign, "spaced": op.symbol in TEXTBOOK.spaced, "level": level}
    if op.symbol[0].isalpha():
        return {"kind": "call", "sign": TEXTBOOK.signs.get(op.symbol, op.name), "level": ATOM}
    return {"kind": "before", "sign": sign, "level": PRODUCT}


def row_in_words(op: Op) -> dict[str, Any]:
    """A row of the table as pages have it: `places` are the derivatives by its operands, the last for all others."""
    arguments = [name.strip("*") for name in op.arguments]
    return {
        "arguments": [
            f"[{name}]" if "*" in whole else name for name, whole in zip(arguments, op.arguments, strict=True)
        ],
        "sloped": op.partials is not None,
        "places": [place_in_words(op, term) for term in rules_of(op)],
    }


def place_in_words(op: Op, term: Term) -> dict[str, Any]:
    """The derivative by one operand.

    cases  (condition, term, reason, sentence): the first whose condition is true holds; the last has none
    zero   what is said where it is 0
    stays  what goes on after that with another factor, which the operand does not move; or ""
    cause  the name of the value that makes it small: the other factor, or `result`
    flat   is it that of a function which saturates?
    """
    cases = cases_of(term)
    written = []
    for number, (condition, chosen) in enumerate(cases):
        if len(cases) == 1:
            reason, sentence = _reason(op, chosen)
        else:
            before = [earlier for earlier, _ in cases[:number]]
            reason = _reason_of_case(op, condition, before, chosen, [other for _, other in cases])
            sentence = f"{op.name} has the slope {reason}." if reason[0] == "{" else f"{reason}."
        written.append([condition, chosen, reason, sentence])
    flat = op.scalars == 1 and saturates(op)
    texts = {"zero": _zero(op, term, flat), "stays": _stays(op, term)}
    return {"cases": written, **texts, "cause": term if is_factor(term) else RESULT, "flat": flat}


def _reason(op: Op, term: Term) -> tuple[str, str]:
    """Why the derivative is this, in a few words and in a sentence, where it is always the same term."""
    noun = "a minus" if op.symbol == "-" and op.scalars == 1 else NOUNS.get(op.symbol, op.name)
    subject = noun[0].upper() + noun[1:] if noun != op.name else noun
    if op.partials is None:
        does = "has no slope to pass on"
    elif term == 1:
        does = "passes it on as it is"
    elif term == -1:
        does = "turns its sign"
    elif term == 0:
        does = "only chooses by {this}: it has no slope by it"
    elif term == ["div", 1, "count"]:
        return "one of {count}, and each counts for 1/{count}", "Each of the {count} numbers counts for 1/{count}."
    elif is_factor(term):
        sentence = f"{subject} passes on the other factor, here {{{term}:is}}."
        return f"the other factor, {{{term}}}", sentence
    else:
        return "{rule}", f"{subject} has the slope {{whole}} {'here' if op.scalars == 1 else 'by {this}'}."
    return f"{noun} {does}", f"{subject} {does}."


def is_factor(term: Term) -> bool:
    """Is the derivative simply another operand?"""
    return isinstance(term, str) and term != RESULT


def _reason_of_case(op: Op, condition: Term, before: list[Term], chosen: Term, all_terms: list[Term]) -> str:
    """Why the derivative is this, where it depends on a condition."""
    conditions = [(term, False) for term in before] if condition is None else [(condition, True)]
    first, holds = conditions[0]
    if isinstance(first, str):
        chose = {0: f"{op.name} chose the other one", 1: f"{op.name} chose it"}
        return f"{chose[chosen]}, since {{{first}}} is {'true' if holds else 'false'}"
    if any(term[0] == "equal" and RESULT in term for term, _ in conditions):
        return f"{op.name} took {{taken:is}}{'' if holds else ', and not {this}'}"
    if "index" in first:
        index = "since its index is {index=}"
        chose = {0: f"{op.name} chose another one, {index}", 1: f"{op.name} chose it, {index}"}
        return f"{{numbers}}, {index}" if isinstance(chosen, list) else chose[chosen]
    tested = next(x for x in first[1:] if isinstance(x, str))
    name = "result" if tested == RESULT else "input"
    hole = tested if first[0] == "equal" else f"{tested}="  # not "its input 0 is 0"
    since = f"since its {name} {{{hole}}} {' and '.join(_state(term, holds) for term, holds in conditions)}"
    if {*map(str, all_terms)} == {"0", "1"}:
        return f"{op.name} is {'on' if chosen == 1 else 'off'}, {since}"
    return f"{op.name} has the slope {{numbers}} here, {since}"


def _state(condition: Term, holds: bool) -> str:
    """`is above 0`, for a comparison of an operand with a number."""
    head, low, high = condition
    if head == "equal":
        return f"is {'' if holds else 'not '}{f'{{{high}}}' if isinstance(high, str) else high}"
    relation, limit = ("below", high) if isinstance(low, str) else ("above", low)
    return f"is {'' if holds else 'not '}{relation} {limit}"


def _zero(op: Op, term: Term, flat: bool) -> str:
    """The words for a derivative by an operand that is 0, without a full stop."""
    if is_factor(term):
        return f"{{this}} is multiplied by {{{term}:zero}}"
    if op.partials is None or term == 0 or len(cases_of(term)) > 1:
        return "{reason}"
    if flat:
        return f"{op.name} is saturated: where {{this}} is {{this=}}, it is flat"
    return "{formula} is flat where {this} is {this=}: {partial} is {rule}"


def _stays(op: Op, term: Term) -> str:
    """The words for what a factor of 0 means for the result."""
    if not is_factor(term):
        return ""
    return f": however {{this}} moves, {'{result} stays {result=}' if op.scalars else 'its part of {result} stays 0'}"


def saturates(op: Op) -> bool:
    """Is a function of one operand flat at both ends and steep between them, as tanh is?"""
    if op.partials is None or any(low > -1e3 for low, _ in op.domain):
        return False
    low, middle, high = (abs(op.partials_on_floats(op.on_floats(x), x)[0]) for x in (-100.0, 0.0, 100.0))
    return low < 1e-20 and high < 1e-20 and middle > 0.0
