"""The face: HTTP API, sockets, the built interface. Read app.py. Routes are thin; actions live in the packages below."""
