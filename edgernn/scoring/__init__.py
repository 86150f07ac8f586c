"""How right outputs are: the metrics, and what they are counted against."""
