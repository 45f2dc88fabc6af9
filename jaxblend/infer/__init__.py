"""From pixels to posteriors over ``u``: starts, least squares and the Laplace approximation. Arrays in, arrays out."""
