"""Galaxies with structure (arms, bars, rings, clumps, companions), drawn on the device to train morphologies on."""
