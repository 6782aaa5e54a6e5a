"""Simulated operators: a process of its own that speaks like the real ones and imports nothing of the panel."""
