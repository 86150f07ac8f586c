"""Keras models, from files and objects, as graphs: nothing in a file is ever run."""
