"""From parameters to pixels: frames, PSFs, galaxy models and the renderer. Imports only jax, equinox and numpy."""
