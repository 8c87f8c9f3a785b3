"""Nodes, avals, dtypes, and the table of operations. Imports nothing else of the library."""
