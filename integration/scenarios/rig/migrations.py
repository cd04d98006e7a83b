"""The migrations of sql/ and `migrate`, run by psql, by the relay and by the tools that people use."""

import os
import subprocess

from . import processes
from .relay import ask

PSQL = "/usr/bin/psql"
CACHE = os.environ.get("OUTBOX_RELAY_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "outbox-relay")
SQL = processes.ROOT / "sql"

# Everything in the database that is not PostgreSQL's, as lines: what a migration that was taken back must leave as it was.
SCHEMA = """
SELECT thing FROM (
  SELECT 'schema ' || nspname AS thing, oid FROM pg_namespace WHERE nspname NOT LIKE 'pg%toast%'
  UNION ALL SELECT 'relation ' || oid::regclass::text || relkind::text || coalesce(reloptions::text, ''), oid
    FROM pg_class WHERE relkind <> 't' AND relnamespace <> 'pg_toast'::regnamespace
  UNION ALL SELECT 'right ' || c.oid::regclass::text || a.grantee || a.privilege_type, c.oid
    FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee <> c.relowner
  UNION ALL SELECT 'column ' || a.attrelid::regclass::text || '.' || a.attname || format_type(atttypid, atttypmod) || attnotnull::text ||
    coalesce(pg_get_expr(d.adbin, d.adrelid), '') || coalesce(attacl::text, ''), a.attrelid
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE NOT attisdropped
  UNION ALL SELECT 'right ' || p.oid::regprocedure::text || a.grantee || a.privilege_type, p.oid
    FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner
  UNION ALL SELECT 'right ' || nspname || a.grantee || a.privilege_type, n.oid
    FROM pg_namespace n, aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner
  UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) || tgenabled::text, oid FROM pg_trigger
  UNION ALL SELECT 'constraint ' || conrelid::regclass::text || pg_get_constraintdef(oid), oid FROM pg_constraint
  UNION ALL SELECT 'function ' || oid::regprocedure::text || md5(prosrc), oid FROM pg_proc
  UNION ALL SELECT 'publication ' || pubname, oid FROM pg_publication
  UNION ALL SELECT 'published ' || prrelid::regclass::text, oid FROM pg_publication_rel) t
WHERE oid >= 16384 ORDER BY 1"""


def schema_of(world):
    """The state of the schema; as pg_dump sees it too, where there is one for this server."""
    lines = [row[0] for row in world.sql(SCHEMA)]
    if world.postgres.major <= 15:
        dump = processes.run([world.postgres.BIN / "pg_dump", "--schema-only", "--no-privileges", world.postgres.url(world.name)])
        lines += [line for line in dump.splitlines() if not line.startswith("\\")]
    return lines


def psql(world, text=None, *, file=None, user="postgres", password=None, expect=0, **variables):
    """Runs a file as an administrator would; its output."""
    command = [PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
    command += ["-f", str(file or "-"), world.postgres.url(world.name, user, password)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, f"psql exited with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def migrate(world, *words, config=None, expect=0):
    """`outbox-relay migrate ...` as the owner of the database."""
    if words[0] != "print":
        words = (*words, "-c", config or world.owner_config())
    code, out, err = ask("migrate", *words)
    assert code == expect, f"migrate {' '.join(map(str, words))} exited with {code}\n{out}{err}"
    return out + err


def print_for(tool, directory, *words):
    """The files of a tool, written into the directory."""
    migrate(None, "print", "--for", tool, "--out", directory, "--first", "20260101000000", *words)
    return directory


def java_tool(world, tool, direction, directory):
    (jars,) = [os.path.join(CACHE, name) for name in os.listdir(CACHE) if is_current(name)]
    url = f"jdbc:postgresql://127.0.0.1:{world.postgres.port}/{world.name}?user=postgres&password={world.postgres.password}"
    return processes.run(["java", "-XX:+UseSerialGC", "-cp", f"{jars}/*:{jars}", "Migrations", tool, direction, url, directory])


def is_current(name):
    """The cache keeps the jars of older versions as well; the name of the current one is that of the inputs' contents."""
    script = f". {processes.INTEGRATION}/lib/say.sh; . {processes.INTEGRATION}/lib/java.sh; basename $java_migrations"
    return name == processes.run(["bash", "-c", script]).strip()


def debian_python(script, *words, directory, environment=None):
    return processes.run(["/usr/bin/python3", script, *words], cwd=directory, env={**os.environ, **(environment or {})})


def ruby(script, *words, directory, environment=None):
    return processes.run(["ruby", script, *words], cwd=directory, env={**os.environ, **(environment or {})})
