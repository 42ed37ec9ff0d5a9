"""What checks: derivatives are measured, and every backward is held against them.

Read numeric.py (how a derivative is measured), point.py (how far an input moves), contract.py (what a backward owes
besides the right numbers), then checker.py, which brings them together. kinks.py and jumps.py say what is right where
there is no derivative. networks.py checks modules, adjoint.py linear maps; full_check.py runs everything.
"""
