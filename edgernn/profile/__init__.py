"""Profiles artefacts on a device: size, latency, memory and accuracy, as a report of values."""
