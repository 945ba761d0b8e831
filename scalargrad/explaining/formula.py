"""The chain rule as a formula, in plain text or in LaTeX: symbols, then numbers, then the sum."""

import math
import re

from scalargrad.drawing.formulas import in_brackets
from scalargrad.drawing.lettering import number
from scalargrad.explaining.paths import Factor, Path
from scalargrad.ieee import total as sum_of
from scalargrad.support.words import ordinal, short_count, short_share

LONGEST_LINE = 100
FACTORS_SHOWN = 10  # of a path; a deep graph has paths of 100,000


class Text:
    """Writes the pieces of a formula in plain text."""

    times, dot, dots = " × ", " · ", "⋯"

    def ratio(self, target: str, source: str, occurrence: int = 0) -> str:
        below = f"({ordinal(occurrence)} {in_brackets(source)})" if occurrence else in_brackets(source)
        return f"∂{in_brackets(target)}/∂{below}"

    def number(self, x: float) -> str:
        return number(x)

    def words(self, text: str) -> str:
        return text

    def sentence(self, text: str) -> str:
        return text

    def rows(self, head: str, rows: list[tuple[str, str]]) -> list[str]:
        """`head` once, and behind it a sign and a piece of the formula on each line."""
        return [f"{' ' * len(head) if place else head} {sign} {piece}" for place, (sign, piece) in enumerate(rows)]

    def table(self, rows: list[tuple[str, str, str]]) -> list[str]:
        """Columns of factors, products and shares."""
        wide, wider, widest = (max(map(len, column)) for column in zip(*rows, strict=True))
        return [f"{x:<{wide}} = {product:>{wider}}   {share:>{widest}}".rstrip() for x, product, share in rows]


class Latex(Text):
    """The same in LaTeX, as MathJax reads it."""

    times, dot, dots = r" \times ", r" \cdot ", r"\cdots"

    def ratio(self, target: str, source: str, occurrence: int = 0) -> str:
        above, below = self.name(in_brackets(target)), self.name(in_brackets(source))
        if occurrence:
            below = f"{{{below}}}_{{\\text{{{ordinal(occurrence)}}}}}"
        return f"\\frac{{\\partial {above}}}{{\\partial {below}}}"

    def number(self, x: float) -> str:
        if not math.isfinite(x):
            return r"\text{nan}" if math.isnan(x) else r"\infty" if x > 0.0 else r"-\infty"
        mantissa, _, exponent = number(x).replace("−", "-").partition("e")
        return f"{mantissa} \\cdot 10^{{{exponent}}}" if exponent else mantissa

    def name(self, text: str) -> str:
        """`w12` as w with a subscript, longer words upright, and no character that LaTeX would take for its own."""

        def piece(match: re.Match) -> str:
            letter, digits, word, other = match.groups()
            if letter:
                return f"{letter}_{{{digits}}}" if digits else letter
            if word:
                return f"\\mathrm{{{word.replace('_', LATEX_CHARACTERS['_'])}}}"
            return LATEX_CHARACTERS.get(other, other)

        return re.sub(r"\b([A-Za-z])([0-9]*)\b|([A-Za-z0-9_]+)|(.)", piece, text)

    def words(self, text: str) -> str:
        return re.sub(
            r"([A-Za-z0-9 .,:;()+=/\[\]-]+)|(.)",
            lambda match: f"\\text{{{match[1]}}}" if match[1] else LATEX_CHARACTERS.get(match[2], match[2]),
            text,
        )

    def sentence(self, text: str) -> str:
        return f"&{self.words(text)}"

    def rows(self, head: str, rows: list[tuple[str, str]]) -> list[str]:
        return [f"{'' if place else head} &{sign} {piece}" for place, (sign, piece) in enumerate(rows)]

    def table(self, rows: list[tuple[str, str, str]]) -> list[str]:
        return [f"{x} = {product} \\quad {self.words(share)}" for x, product, share in rows]


LATEX_CHARACTERS = {character: f"\\{character}" for character in " {}$&#%_"} | {
    "\\": "\\backslash ",
    "^": "\\wedge ",
    "~": "\\sim ",
    "<": "\\lt ",
    ">": "\\gt ",
    "|": "\\vert ",
    "*": "{*}",
    "−": "-",
    "`": "{`}",
    "'": "{\\prime}",
    '"': "{''}",
    "…": "\\ldots ",
}
TEXT, LATEX = Text(), Latex()


def sum_of_paths(paths: tuple[Path, ...], count: int, total: float, head: str, style: Text) -> list[str]:
    """The lines of a derivative `head` that is a sum over `count` paths, of which `paths` are written out."""
    products = [path.product for path in paths]
    symbols = [_symbols(path, style) for path in paths]
    numbers = style.table(
        [(_numbers(path, style), style.number(path.product), short_share(path.share)) for path in paths]
    )
    result = f"{signed_sum(products, style)} = {style.number(total)}"
    if count > len(paths):
        more = f"{style.dots} {style.words(f'{short_count(count - len(paths))} more')}"
        rest = total - sum_of(products)
        symbols.append(more)
        numbers.append(f"{more} = {style.number(rest)}" if math.isfinite(rest) else more)
        result = style.number(total)
    rows = [("+" if place else "=", piece) for lines in (symbols, numbers) for place, piece in enumerate(lines)]
    return style.rows(head, [*rows, ("=", result)])


def one_path(path: Path, head: str, style: Text) -> list[str]:
    """The lines of a derivative `head` that is a single product."""
    pieces = [_symbols(path, style), _numbers(path, style), style.number(path.product)]
    pieces = [piece for place, piece in enumerate(pieces) if piece not in (head, *pieces[place + 1 :])]
    line = " = ".join([head, *pieces])
    if style is TEXT and len(line) <= LONGEST_LINE:
        return [line]
    return style.rows(head, [("=", piece) for piece in pieces])


def _symbols(path: Path, style: Text) -> str:
    ratios = [style.ratio(factor.target, factor.source, factor.occurrence) for factor in ends_of(path)]
    return style.dot.join(_with_gap(ratios, path, style))


def _numbers(path: Path, style: Text) -> str:
    factors = [style.number(factor.derivative) for factor in ends_of(path)]
    factors = [f"({x})" if place and x[0] in "−-" else x for place, x in enumerate(factors)]
    return style.times.join(_with_gap(factors, path, style))


def ends_of(path: Path) -> tuple[Factor, ...]:
    """The factors that are written out: all, or those at the two ends."""
    half, factors = FACTORS_SHOWN // 2, path.steps
    return factors if len(factors) <= FACTORS_SHOWN else (*factors[:half], *factors[-half:])


def _with_gap(pieces: list[str], path: Path, style: Text) -> list[str]:
    """`pieces`, with dots in the middle if they are only the two ends of a path."""
    if len(pieces) == len(path.steps):
        return pieces
    half, left_out = len(pieces) // 2, len(path.steps) - len(pieces)
    gap = f"{style.dots} {style.words(f'{left_out:,} more')} {style.dots}"
    return [*pieces[:half], gap, *pieces[half:]]


def signed_sum(terms: list[float], style: Text) -> str:
    """`6 − 2 + 1`."""
    first, *others = (style.number(term) for term in terms)
    return first + "".join(f" {x[0]} {x[1:]}" if x[0] in "−-" else f" + {x}" for x in others)
