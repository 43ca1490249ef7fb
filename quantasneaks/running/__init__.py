"""What `make run` does: the shop's processes on one machine, kept alive and stopped in order."""
