"""The worker: the program that runs one plugin for a host. Not part of the public surface."""
