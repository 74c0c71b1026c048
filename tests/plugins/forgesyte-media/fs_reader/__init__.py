"""A plugin that wants its images as text, and says so in its manifest."""
