"""A part that the plugin imports in two ways."""

RELATIVE, ABSOLUTE = "relative", "absolute"
