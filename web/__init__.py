"""The face: HTTP API, sockets and the built interface. Read app.py. Routes are thin; actions live in packages below."""
