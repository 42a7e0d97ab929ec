"""The commands of `elute`."""
