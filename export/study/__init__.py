"""The accuracy of an export compared with the float model, and which layers reduce it."""
