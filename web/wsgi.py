"""What gunicorn serves: the application with its sockets."""

from web.app import create_app
from web.sockets import live

app = create_app()
live.install(app)
