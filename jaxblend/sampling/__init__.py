"""Draws from the posterior of a blend, and the blend as a NumPyro model."""
