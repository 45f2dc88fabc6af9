"""Other packages run on the same pixels, one module each.

Every module takes and returns NumPy arrays, imports its package only when a function is called, and does not import
jaxblend, but for ``scarlet2_fit``, whose steps are those of ``jaxblend.compare``. The versions that work together are
in ``benchmarks/constraints-peers.txt``.
"""
