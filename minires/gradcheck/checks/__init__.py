"""The checks: derivatives are measured, and every backward is held against them.

Read numeric.py (how a derivative is measured), point.py (how far an input moves) and contract.py (what a backward must
do besides returning the right values). Then read checker.py, which calls measurement.py and comparison.py. kinks.py and
jumps.py say what is right where there is no derivative. networks.py checks modules, adjoint.py linear maps, and
full_check.py runs everything.
"""
