"""python manage.py setup_staff: the groups of staff, and the people in them."""

import sys
from getpass import getpass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, transaction

from fulfillment.groups import PERMISSIONS, set_groups


class Command(BaseCommand):
    help = (
        "Sets the groups of staff to their permissions and makes a log-in. Somebody who is known already keeps the"
        " password and gets mail and groups as named. A new password is asked for, or read from QS_NEW_STAFF_PASSWORD."
        " Without a name each person is asked for, at a terminal."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="the log-in's name")
        parser.add_argument("--mail", default="", help="a reviewer cannot decide orders made with this address")
        parser.add_argument("--group", action="append", choices=list(PERMISSIONS), help="once for each group")
        parser.add_argument("--new-password", action="store_true", help="set one although the person is known already")

    def handle(self, *args: Any, **options: Any) -> None:
        set_groups(using=DEFAULT_DB_ALIAS)
        self.stdout.write(f"Groups: {', '.join(PERMISSIONS)}")
        if options["name"]:
            self.employ(options["name"], options["mail"], options["group"] or [], options["new_password"])
        elif sys.stdin.isatty():
            self.ask_for_people()

    def ask_for_people(self) -> None:
        while name := input("Name of the log-in (empty to end): ").strip():
            mail = input("Mail: ").strip()
            groups = [group.strip() for group in input("Groups, separated by commas: ").split(",") if group.strip()]
            try:
                self.employ(name, mail, groups, new_password=False)
            except CommandError as error:
                self.stderr.write(str(error))

    def employ(self, name: str, mail: str, groups: list[str], new_password: bool) -> None:
        """Raises CommandError with what is wrong; then nothing is changed."""
        if unknown := set(groups) - set(PERMISSIONS):
            raise CommandError(f"No such group: {', '.join(sorted(unknown))}. There are {', '.join(PERMISSIONS)}.")
        if not groups:
            raise CommandError("Name at least one group. An administrator is made by createsuperuser.")
        joined = Group.objects.filter(name__in=groups)
        user = User.objects.filter(username=name).first() or User(username=name)
        known = user.pk is not None
        user.is_staff = True
        user.email = mail or user.email
        if not user.email and joined.filter(permissions__codename="decide_review").exists():
            raise CommandError("A reviewer needs --mail: by it the shop knows whose own order is whose.")
        try:
            user.clean_fields(exclude=["password"])
            if not known or new_password:
                password = settings.NEW_STAFF_PASSWORD or ask_password(name)
                validate_password(password, user)
                user.set_password(password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        with transaction.atomic():
            user.save()
            user.groups.set(joined)
        self.stdout.write(f"{name} is {'known already' if known else 'new'}, in {', '.join(groups)}")


def ask_password(name: str) -> str:
    """Raises CommandError where nobody is there to ask, or the two differ."""
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for a password; set QS_NEW_STAFF_PASSWORD.")
    password = getpass(f"Password of {name}: ")
    if getpass("Once more: ") != password:
        raise CommandError("The two passwords differ.")
    return password
