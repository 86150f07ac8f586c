"""Ranges from calibration data, the integer plan of a graph, and what it costs in accuracy."""
