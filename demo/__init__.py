"""What `make run` shows a newcomer: a carrier on loopback with subscribers, and a demo enterprise."""
