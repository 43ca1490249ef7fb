"""A production environment made up for checks: `python -m tests.deployment manage.py check --deploy`."""

import os
import sys

PRODUCTION = {
    "QS_MODE": "production",
    "SECRET_KEY": "a-key-for-checks-only-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "shop.example",
    "PAYMENT_PROVIDER": "stripe",
    "STRIPE_API_KEY": "sk_test_none",
    "STRIPE_WEBHOOK_SECRET": "whsec_none",
    "EMAIL_URL": "smtp+tls://shop:password@mail.example:587",
    "QS_STAFF_PASSWORD": "not used here",
}

if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], {**os.environ, **PRODUCTION})
