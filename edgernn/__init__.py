"""edgernn puts quantized GRU and LSTM models on small devices."""

__version__ = "0.1.0"
