"""Explanations of a graph: in words, as formulas, step by step, and what is wrong with it."""
