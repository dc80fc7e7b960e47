"""Engines: as many workers as their backlog needs."""
