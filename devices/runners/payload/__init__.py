"""Runs one model in one Python runtime, on the machine that it is sent to.

The package is zipped into one file (`edgernn.devices.runners.archive`) and started there as
`python payload.pyz request.json`; it prints one JSON object, the reply.  It needs Python 3.9, numpy
and the runtime.  It must not import anything of edgernn, and no syntax newer than Python 3.9.
"""
