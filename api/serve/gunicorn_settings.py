"""How gunicorn serves the app: `gunicorn -c python:api.serve.gunicorn_settings`.

One process with many threads: they wait for PostgreSQL and for clients far more than they work.
"""

import sys

from api.addresses import in_url
from api.connection import is_embedded
from api.environment import adopt
from api.errors import EluteError
from api.serve.door import refuse_open_door, warn_of_open_door
from api.settings import Settings

try:
    _settings = Settings.from_environment()
    refuse_open_door(_settings)
    if not is_embedded(_settings):  # Whoever starts our own server adopts it then.
        adopt(_settings)
except EluteError as error:
    sys.exit(f"elute: {error}")
warn_of_open_door(_settings)

wsgi_app = "api.web.app:create_app()"
bind = [f"{in_url(_settings.web_host)}:{_settings.web_port}"]
worker_class = "api.serve.gunicorn_worker.Worker"
workers = 1
threads = 64
# A page that follows a run never ends by itself.
graceful_timeout = 3
limit_request_line = 8190  # a list of ids in a filter
loglevel = "warning"
proc_name = "elute"
# It would lie in the account's home, where Elute writes nothing.
control_socket_disable = True
