"""The warning class of the package."""

__all__ = ["JaxblendWarning"]


class JaxblendWarning(UserWarning):
    """Something in the input was handled in a way that the user should know of."""
