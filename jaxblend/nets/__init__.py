"""Networks, as Flax NNX modules: what they compute from what. How they are trained is in `jaxblend.train`."""
