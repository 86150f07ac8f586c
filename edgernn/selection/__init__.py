"""Which model?  Contenders are trained over seeds on the user's data, compared, and one advised."""
