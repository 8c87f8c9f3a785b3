"""Benchmarks that print one table each: `python -m perf` from the root of a checkout.

A table is a module with `rows(options)`, which runs in the parent and yields rows, and `measure(...)`, which runs in
a fresh process for each case and library (see `processes`). Adding a case to a table is one entry in its list.
"""
