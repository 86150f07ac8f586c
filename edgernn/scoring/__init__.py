"""The accuracy of outputs: metrics, and true answers."""
