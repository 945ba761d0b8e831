"""Planning: scheduling, fusion and memory planning make a table of records from a program."""
