"""The table of operations in JavaScript, the recorded scalars that it interprets, and bundles of modules."""
