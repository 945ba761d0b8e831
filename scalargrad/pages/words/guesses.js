// What a wrong number is that was typed in the quiz.

import { Atoms } from "./atoms.js";
import { factor, gradientText } from "./numbers.js";

// {what, rule} for a number typed as the gradient of a value: that is `what`, and what the rule is; null, if it is nothing
// that we know.
export function guessed(words, position, typed) {
  const { graph } = words;
  const { guesses } = words.words;
  const answer = graph.grad[position];
  const terms = words.causes.terms(position);
  const is = (number) => Number.isFinite(number) && close(typed, number) && !close(number, answer);
  const named = (kind, term) => {
    const [what, rule] = guesses[kind];
    const texts = { x: words.name(position), o: words.name(graph.output), count: `${terms.length}` };
    if (!term) return { what: words.fill(what, texts), rule: words.fill(rule, texts) };
    const { result, place, local, upstream } = term;
    const atoms = new Atoms(words, result, place);
    const above = { above: words.partial(result), upstream: factor(upstream + 0), local: gradientText(local) };
    const cause = atoms.position(words.derivative(result, place).cause);
    const all = { ...texts, ...above, ...words.rule(result, place), factor: words.name(cause) };
    return { what: words.filled(what, atoms, all), rule: words.filled(rule, atoms, all) };
  };
  if (terms.length === 1) {
    const [term] = terms;
    const isFactor = words.derivative(term.result, term.place).cause !== "result";
    if (isFactor && is(graph.data[position] * term.upstream)) return named("factor", term);
  }
  if (answer !== 0 && is(-answer)) return named("sign", terms[0]);
  if (terms.length > 1) {
    const one = terms.find(({ product }) => is(product));
    if (one) return named("term", one);
  }
  for (const [kind, part] of [["local", "local"], ["upstream", "upstream"]]) {
    const one = terms.find((term) => is(term[part]));
    if (one) return named(kind, one);
  }
  return is(graph.data[position]) ? named("data", null) : null;
}

// Within 1 %, as a number is read from a page.
function close(x, y) {
  return Math.abs(x - y) <= 0.01 * Math.abs(y);
}
