"""Reads .pt2 files: programs that torch.export wrote, as JSON and raw weights."""
