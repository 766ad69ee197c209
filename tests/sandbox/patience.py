"""Limits for the sandbox's tests, shared by all that compare verdicts."""

from dataclasses import replace

from pipeline.sandbox import Limits

PATIENT = Limits(cpu_seconds=30.0, idle_seconds=30.0, wall_seconds=120.0, memory_mb=256, output_kb=256)
"""No program of the tests comes near these by being run on a slow machine."""
HASTY = replace(PATIENT, cpu_seconds=0.5, idle_seconds=0.5)
"""For what never ends."""
