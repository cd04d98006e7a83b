"""The schema of an application that nobody here wrote, captured as it is: Django's own tables, made by its migrations and
written through its models."""

import subprocess
import sys
import textwrap

from rig.processes import wait_for
from test_business_tables import check_state

SETTINGS = """
import django
from django.conf import settings
settings.configure(
    DATABASES={{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": {name!r}, "USER": "postgres",
                             "PASSWORD": {password!r}, "HOST": "127.0.0.1", "PORT": {port}}}}},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "django.contrib.messages", "django.contrib.sites", "django.contrib.flatpages", "django.contrib.redirects"],
    SITE_ID=1, SECRET_KEY="only for this test", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
django.setup()
"""

MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""

# What such an application does all day, through its models alone.
WORK = """
import datetime, random
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.flatpages.models import FlatPage
from django.contrib.sessions.models import Session
from django.contrib.sites.models import Site
from django.db import transaction
from django.utils import timezone
random.seed({seed})
first = 1 + max([u.id for u in User.objects.all()], default=0)
group = Group.objects.create(name=f"group {{first}}")
group.permissions.set(random.sample(list(Permission.objects.all()), 5))
for i in range(first, first + 40):
    user = User.objects.create_user(f"user{{i}}", f"user{{i}}@example.com", "secret", first_name="Zo\\u00eb \\"\\u00fc\\"")
    user.groups.add(group)
    user.user_permissions.set(random.sample(list(Permission.objects.all()), 2))
    Session.objects.create(session_key=f"session-{{i}}", session_data="x" * random.randrange(10, 9000), expire_date=timezone.now())
    LogEntry.objects.log_action(user.id, ContentType.objects.first().id, user.id, "a \\\\ line\\n", ADDITION, "[]")
User.objects.filter(username__endswith="3").update(is_staff=True, last_login=timezone.now())
try:
    with transaction.atomic():
        User.objects.all().delete()
        raise RuntimeError
except RuntimeError:
    pass
User.objects.filter(username__endswith="7").delete()           # with all that refers to them
Session.objects.filter(session_key__endswith="9").update(session_data="")
page = FlatPage.objects.create(url=f"/p{{first}}/", title="t", content="c" * 20000)
page.sites.add(Site.objects.first())
FlatPage.objects.update(title="changed")                       # its content stays where it is, out of line
"""


def begin(world, script, **values):
    connection = {"name": world.name, "password": world.postgres.password, "port": world.postgres.port}
    code = textwrap.dedent(SETTINGS + script).format(**connection, **values)
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(work):
    output, _ = work.communicate(timeout=240)
    assert work.returncode == 0, output[-3000:]


def django(world, script, **values):
    finish(begin(world, script, **values))


def test_a_django_applications_tables_are_captured_row_for_row_with_kills(make_world, postgres, kafka, seed):
    world = make_world(postgres, kafka, outbox="SELECT 1", publication=None)
    django(world, MIGRATE)
    tables = {row[0]: row[1].split(",") for row in world.sql("""
      SELECT c.relname, string_agg(a.attname, ',' ORDER BY array_position(i.indkey::int2[], a.attnum))
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
      WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace GROUP BY 1""")}
    assert len(tables) >= 14
    for table in tables:  # so that values out of line come with each update
        world.sql(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
    world.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO relay; CREATE PUBLICATION outbox_relay FOR ALL TABLES")
    django(world, WORK, seed=seed.randrange(1 << 30))  # rows from before the slot
    settings = world.config(pipeline={"source": {"outbox": None, "snapshot": "initial", "tables": ["public.*"]}, "batch": {"events": 100}})
    for _ in range(3):
        work = begin(world, WORK, seed=seed.randrange(1 << 30))
        while work.poll() is None:
            target = world.sequence() + 1 + seed.randrange(200)
            relay = world.start(settings)
            wait_for(lambda: world.sequence() >= target or not relay.alive() or work.poll() is not None,
                     f"some delivery\n{relay.tail()}", every=0.01)
            relay.kill()
        finish(work)
    world.drain(settings)
    summary, _ = world.broker.count(world.topics, settle=500)
    assert (summary["duplicates"], summary["sequence_missing"], summary["sequence_repeated"]) == (0, 0, 0), summary
    check_state(world, tables)
