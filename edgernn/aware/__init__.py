"""Trains on the grid of numbers that an export stores: quantization-aware training."""
