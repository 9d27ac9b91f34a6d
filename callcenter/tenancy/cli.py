"""Open an enterprise: `python -m callcenter.tenancy.cli open CODE NAME --owner USER [--country CN] [--time-zone …]`.
The operator's own, once: `python -m callcenter.tenancy.cli platform [--owner operator]`.
The second factor of somebody, an owner too, who lost phone and recovery codes:
`python -m callcenter.tenancy.cli reset-second-factor CODE USER`.

The owner's password is asked for, or read from the first line of standard input when that is not a terminal.
"""

from __future__ import annotations

import argparse
import getpass
import sys

from sqlalchemy import func, select

from callcenter.audit.models import Actor
from callcenter.auth import second_factor
from callcenter.auth.models import User
from callcenter.db.models import load_all
from callcenter.db.session import platform_session
from callcenter.errors import AppError
from callcenter.tenancy.models import Enterprise
from callcenter.tenancy.opening import load_hooks, open_enterprise


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password of the owner: ")
    return sys.stdin.readline().rstrip("\n")


def _reset(code: str, username: str) -> int:
    with platform_session() as session:
        found = session.execute(
            select(User.id, User.tenant_id)
            .join(Enterprise, Enterprise.id == User.tenant_id)
            .where(func.lower(Enterprise.code) == code.lower(), User.username == username.lower())
        ).one_or_none()
    if found is None:
        print("There is no such user.", file=sys.stderr)
        return 1
    try:
        second_factor.reset(Actor(found.tenant_id, None, "command line"), found.id)
    except AppError as error:
        print(error.message, file=sys.stderr)
        return 1
    print(f"{username} signs in by the password alone until a new second factor is set up.")
    return 0


def main(words: list[str] | None = None) -> int:
    """Entry point; 0 on success, 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="callcenter.tenancy.cli", description="Open enterprises.")
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", help="open an enterprise with its owner")
    opening.add_argument("code", help="what its people type at sign-in")
    opening.add_argument("name")
    opening.add_argument("--owner", required=True, help="user name of the owner")
    opening.add_argument("--country", default="CN", help="two letters; of the numbers that have no country code")
    opening.add_argument("--time-zone", default="Asia/Shanghai")
    opening.add_argument("--locale", default="zh-CN", choices=("zh-CN", "en"))
    platform = commands.add_parser(
        "platform", help="make the operator's own enterprise, where the platform is run from"
    )
    platform.add_argument("--code", default="platform")
    platform.add_argument("--name", default="Platform")
    platform.add_argument("--owner", default="operator", help="user name of the operator")
    platform.add_argument("--country", default="CN")
    platform.add_argument("--time-zone", default="Asia/Shanghai")
    platform.add_argument("--locale", default="zh-CN", choices=("zh-CN", "en"))
    resetting = commands.add_parser(
        "reset-second-factor", help="let somebody in by the password alone who lost phone and recovery codes"
    )
    resetting.add_argument("code", help="of the enterprise")
    resetting.add_argument("user", help="user name")
    given = parser.parse_args(words)
    load_all()
    load_hooks()
    if given.command == "reset-second-factor":
        return _reset(given.code, given.user)
    try:
        with platform_session() as session:
            tenant_id = open_enterprise(
                session,
                given.code,
                given.name,
                given.country.upper(),
                given.time_zone,
                given.owner,
                _password(),
                locale=given.locale,
                is_platform=given.command == "platform",
            )
    except AppError as error:
        print(error.message, file=sys.stderr)
        for field, text in error.fields.items():
            print(f"  {field}: {text}", file=sys.stderr)
        return 1
    print(f"Enterprise {given.code} is open (id {tenant_id}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
