"""Looks for what is misconfigured or out of reach, in the order in which it is to be mended; it mends nothing."""

from tocsin.doctor.report import Finding, Report, examine

__all__ = ["Finding", "Report", "examine"]
