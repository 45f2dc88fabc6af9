"""Training of networks on galaxies that are drawn as they are needed."""
