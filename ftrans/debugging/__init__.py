"""Contexts that look for mistakes while a program runs."""

from .functional_checks import Error, checkify
from .key_reuse import debug_key_reuse
from .non_finite import debug_infs, debug_nans

__all__ = ["Error", "checkify", "debug_infs", "debug_key_reuse", "debug_nans"]
