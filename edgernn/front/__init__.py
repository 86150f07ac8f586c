"""The values of the Python API: a loaded model, what was made of it, and what was measured.

`edgernn.api` gathers them; the command line is options over them.
"""
