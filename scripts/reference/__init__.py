"""Generates docs/reference/: what can be read from the code is not written twice."""
