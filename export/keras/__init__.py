"""Reads Keras models, from files and from memory, as graphs.  No code of a file is run."""
