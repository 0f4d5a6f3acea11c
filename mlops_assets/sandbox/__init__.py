"""Local stand-ins for every upstream, speaking its real protocol on loopback: one package for each.

The production client talks to them by URL; nothing here is imported by what they stand in for.
"""
