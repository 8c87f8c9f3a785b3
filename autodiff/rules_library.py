"""Derivative and transposition rules of sorting and LAPACK operations."""
