"""Other packages run on the same pixels, one module each.

Every module takes and returns NumPy arrays, imports its package only when a function is called, and does not import
jaxblend. The versions that work together are in ``benchmarks/constraints-peers.txt``.
"""
