"""Reads .onnx files, as PyTorch's exporters write them, as graphs.  No code of a file is run."""
