"""The WSGI entry point that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from quantasneaks.bulkhead import Bulkhead

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantasneaks.settings")

application = Bulkhead(get_wsgi_application())
