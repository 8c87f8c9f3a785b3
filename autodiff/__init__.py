"""Graph to graph: forward derivatives, transposition, batching, scalar rules, formulas. Imports lazy.ir only."""
