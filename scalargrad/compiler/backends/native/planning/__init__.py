"""Planning: which instructions run together, when, and where their numbers lie."""
