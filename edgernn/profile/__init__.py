"""Artefacts on a device: what they cost and how right they are there, as a report of values."""
