"""The `validated` stage: what a teacher wrote is run before it is believed."""

from pipeline.validation.validate import Validate, ValidateBlocks, limits_of

__all__ = ["Validate", "ValidateBlocks", "limits_of"]
