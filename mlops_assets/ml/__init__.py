"""The stages of a machine-learning system as plain functions and fitted objects: frames in, frames out.

Here belong computations only. No orchestration, no file or network access, no environment; a `Domain` value says what to compute.
"""
