"""A PostgreSQL server: why it cannot be reached, and what the role may not do in its database. What it holds is its users' business."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from mlops_assets.doctor.problem import Problem

CONNECT_SECONDS = 4
STATEMENT_MILLISECONDS = 5000
REFUSALS = {
    "password authentication failed": ("the password is refused", "set the right user and password in {setting}"),
    "no password supplied": ("it asks for a password", "put user and password into {setting}"),
    "no pg_hba.conf entry": (
        "the server lets this user in from here into that database under no circumstances",
        "add a line for it to the server's pg_hba.conf, or correct user, database and sslmode in {setting}",
    ),
    "is not permitted to log in": ("the role may not log in", "ALTER ROLE ... LOGIN, as the server's administrator"),
    'role "': ("there is no such role", "CREATE ROLE ... LOGIN PASSWORD, as the server's administrator, or correct the user in {setting}"),
    'database "': ("there is no such database", "CREATE DATABASE ... OWNER, as the server's administrator, or correct {setting}"),
    "permission denied for database": ("the role may not connect to it", "GRANT CONNECT ON DATABASE ... TO ..., as its owner"),
    "does not support SSL": ("it speaks no TLS, which the address asks for", "correct sslmode in {setting}"),
    "invalid connection option": ("the address has an option that libpq does not know", "correct {setting}"),
    "invalid URI query parameter": ("the address has a parameter that libpq does not know", "correct {setting}"),
    "missing key/value separator": ("the address cannot be read", "write {setting} as postgresql://user:password@host:port/database"),
}
"""By a part of the message, what it means and what to do; they are tried in this order."""
CROWDED = ("too many clients", "remaining connection slots", "too many connections")
"""How a server speaks that has no connection to give; the last one is a limit of the role's or of the database's."""
SETTING = "SELECT current_setting('{}')"
RIGHTS = (
    ("SELECT has_database_privilege(current_database(), 'TEMPORARY')", "it may not make temporary tables", "GRANT TEMPORARY ON DATABASE"),
    (
        "SELECT coalesce(has_schema_privilege(current_schema(), 'USAGE') AND has_schema_privilege(current_schema(), 'CREATE'), false)",
        "it may not make tables in the first schema of its search path",
        "GRANT USAGE, CREATE ON SCHEMA",
    ),
)


class RefusedError(RuntimeError):
    """The server cannot be used; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


@contextmanager
def connected(part: str, url: str, setting: str) -> Iterator[Any]:
    """A cursor of a short connection that changes nothing. RefusedError if there is none to be had."""
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    try:
        connection = dbapi.connect(_with_timeout(url))
    except adbc_driver_manager.Error as error:
        raise RefusedError(_refusal(part, str(error), setting)) from None  # the cause's text may hold the address
    with closing(connection), closing(connection.cursor()) as cursor:
        try:
            cursor.execute(f"SET statement_timeout = {STATEMENT_MILLISECONDS}")
            yield cursor
        except adbc_driver_manager.Error as error:
            what = f"the server refuses a question: {_short(str(error))}"
            raise RefusedError(Problem(part, what, f"look into the server's log, or correct {setting}")) from None


def one(cursor: Any, sql: str) -> Any:
    """The first value of a query."""
    cursor.execute(sql)
    row = cursor.fetchone()
    return row[0] if row else None


def version(cursor: Any) -> str:
    """As people say it."""
    return f"PostgreSQL {one(cursor, SETTING.format('server_version'))}".split(" (")[0]


def rights(part: str, cursor: Any, tables: list[str]) -> list[Problem]:
    """What the role lacks to make and to write tables; of `tables`, those that are there have to be its to change."""
    if one(cursor, SETTING.format("transaction_read_only")) == "on" or one(cursor, "SELECT pg_is_in_recovery()"):
        remedy = "name the primary server, not a standby; or end default_transaction_read_only for this role and database"
        return [Problem(part, "the server is read-only", remedy)]
    role = one(cursor, "SELECT current_user")
    problems = [
        Problem(part, f"role {role}: {what}", f"{grant} ... TO {role}, as its owner") for sql, what, grant in RIGHTS if not one(cursor, sql)
    ]
    names = ", ".join(f"'{table}'" for table in tables)
    forbidden = (
        f"SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relname IN ({names}) "  # noqa: S608  # the platform's own names
        "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) "
        "AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') "
        "AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))"
    )
    if names and (found := one(cursor, forbidden)):
        remedy = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {found} TO {role}; to add columns later the role has to own them"
        problems.append(Problem(part, f"role {role} may not write {found}", remedy))
    return problems


def location(url: str) -> str:
    """The address for people: no user, no password, no parameters."""
    address = url.partition("://")[2].rpartition("@")[2].partition("?")[0]
    return f"postgresql://{address}"


def _refusal(part: str, message: str, setting: str) -> Problem:
    if any(sign in message for sign in CROWDED):
        remedy = "end clients that nobody needs, which pg_stat_activity names; or raise max_connections, or the CONNECTION LIMIT in its way"
        return Problem(part, f"the server has no free connection: {_short(message)}", remedy, heals=True)
    for sign, (what, remedy) in REFUSALS.items():
        if sign in message:
            return Problem(part, f"{what}: {_short(message)}", remedy.format(setting=setting))
    remedy = f"start the server, or correct host and port in {setting}"
    return Problem(part, f"the server cannot be reached: {_short(message)}", remedy, heals=True)


def _short(message: str) -> str:
    return " ".join(message.removeprefix("IO: ").removeprefix("[libpq] ").removeprefix("Failed to connect: ").split())


def _with_timeout(url: str) -> str:
    query = urlsplit(url).query
    return url if "connect_timeout=" in query else f"{url}{'&' if query else '?'}connect_timeout={CONNECT_SECONDS}"
