"""``python -m crony.api.openapi``: print the reference page of the API."""

import sys

from crony.api.openapi.page import page

sys.stdout.write(page())
