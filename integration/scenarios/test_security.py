"""TLS and SCRAM on both sides, against real servers; passwords that change at night."""

import json
import time

import pytest
from rig.processes import wait_for
from rig.relay import ask


@pytest.fixture
def secure(make_world, postgres, own_kafka):
    """A world whose broker wants TLS and SCRAM and grants the user relay what this pipeline needs, and no more."""
    kafka = own_kafka(sasl=True)
    world = make_world(postgres, kafka)
    world.password_file = world.directory / "kafka-password"
    world.password_file.write_text(kafka.sasl_password + "\n")
    for operation, kind, name in (
            ("WRITE", "transactional_id", f"outbox-relay.{world.name}.*"), ("DESCRIBE", "transactional_id", f"outbox-relay.{world.name}.*"),
            ("WRITE", "topic", f"{world.name}*"), ("DESCRIBE", "topic", f"{world.name}*"), ("CREATE", "topic", f"{world.name}*"),
            ("DESCRIBE_CONFIGS", "topic", f"{world.name}*"),
            *((o, "topic", f"outbox-relay.progress.{world.name}") for o in ("READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"))):
        world.broker.admin("allow", "relay", operation, kind, name)
    return world


def sasl(world, **librdkafka):
    return world.config(pipeline={"sink": {
        "bootstrap_servers": world.kafka.sasl_bootstrap,
        "librdkafka": {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "relay",
                       "ssl.ca.location": str(world.kafka.ca), **librdkafka},
        "librdkafka_files": {"sasl.password": str(world.password_file)}}})


def test_events_travel_over_tls_with_scram_and_the_rights_that_are_needed(secure):
    secure.emit(10)
    relay = secure.start(sasl(secure))
    secure.emit(10)
    secure.check()
    assert relay.stop() == 0
    assert not relay.says(secure.kafka.sasl_password), "the password is in the log"


def test_events_travel_with_plain_passwords_over_tls(secure):
    config = sasl(secure, **{"sasl.mechanism": "PLAIN"})
    secure.emit(10)
    secure.drain(config)
    secure.check()


class TokenEndpoint:
    """OAuth 2.0 client credentials; its tokens are not signed, which the broker is set up to accept."""

    def __init__(self, secret):
        import base64
        import http.server
        import threading
        import urllib.parse

        endpoint, self.asked, self.life = self, [], 40

        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                wanted = "Basic " + base64.b64encode(f"outbox-relay:{secret}".encode()).decode()
                right = self.headers["Authorization"] == wanted and form["grant_type"] == ["client_credentials"]
                endpoint.asked.append(form if right else None)
                now = time.time()
                token = f"{part({'alg': 'none'})}.{part({'sub': 'relay', 'iat': now, 'exp': now + endpoint.life, 'scope': 'kafka'})}."
                self.send_response(200 if right else 401)
                self.end_headers()
                self.wfile.write(json.dumps({"access_token": token, "expires_in": endpoint.life} if right else {}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_events_travel_with_tokens_of_an_identity_provider_which_are_renewed(secure):
    endpoint = TokenEndpoint("the client's secret")
    secret = secure.directory / "oidc-secret"
    secret.write_text("the client's secret\n")
    tree = secure.document(pipeline={"sink": {
        "bootstrap_servers": secure.kafka.sasl_bootstrap,
        "librdkafka": {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER", "ssl.ca.location": str(secure.kafka.ca),
                       "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "outbox-relay",
                       "sasl.oauthbearer.scope": "kafka", "sasl.oauthbearer.token.endpoint.url": endpoint.url},
        "librdkafka_files": {"sasl.oauthbearer.client.secret": str(secret)}}})
    config = secure.directory / "oidc.yaml"
    config.write_text(json.dumps(tree).replace("$", "$$"))
    secure.emit(10)
    relay = secure.start(config)
    secure.check()
    asked = len(endpoint.asked)
    assert None not in endpoint.asked and endpoint.asked[0]["scope"] == ["kafka"]
    wait_for(lambda: len(endpoint.asked) > asked, "a token to be renewed before it ends", endpoint.life + 5)
    secure.emit(10)
    secure.check()
    assert relay.stop() == 0
    assert not relay.says("client's secret") and not relay.says(r"eyJ"), "a secret is in the log"
    secret.write_text("another secret\n")
    again = secure.start(config)
    assert again.wait(40) == 78, again.tail()
    assert again.says("auth_failed") and again.says("401"), again.tail()


def test_a_wrong_broker_password_is_refused(secure):
    secure.password_file.write_text("wrong-password")
    relay = secure.start(sasl(secure))
    assert relay.wait(40) == 78, relay.tail()
    assert relay.says("auth_failed") and not relay.says("wrong-password"), relay.tail()
    assert secure.confirmed() is None


def test_a_certificate_that_nobody_vouches_for_is_refused(secure):
    relay = secure.start(sasl(secure, **{"ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"}))
    assert relay.wait(40) == 78, relay.tail()
    assert relay.says("tls_failed"), relay.tail()
    assert secure.confirmed() is None


def test_a_broker_password_that_changes_while_running_is_taken_up(secure):
    relay = secure.start(sasl(secure))
    secure.emit(10)
    secure.check()
    secure.password_file.write_text("tonight's password")
    secure.broker.admin("password", "relay", "tonight's password")
    secure.kafka.kill()  # so that every connection is made anew
    secure.kafka.start()
    secure.emit(10)
    secure.check(timeout=90)
    assert relay.alive() and relay.stop() == 0


def test_a_topic_without_permission_halts_or_is_rejected_as_told(secure):
    config = sasl(secure)
    secure.drain(config)
    secure.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'X', '{\"n\": 1}')")
    foreign = sasl(secure)
    text = foreign.read_text().replace(f'"{secure.name}.{{aggregate_type}}"', '"elsewhere.{aggregate_type}"')
    foreign.write_text(text)
    relay = secure.start(foreign)
    assert relay.wait(40) == 78, relay.tail()
    assert relay.says("topic_unauthorized|topic_unknown"), relay.tail()
    secure.drain(sasl(secure))
    secure.check()


def test_a_transactional_id_without_permission_is_refused(make_world, postgres, own_kafka):
    kafka = own_kafka(sasl=True)
    world = make_world(postgres, kafka)
    world.password_file = world.directory / "kafka-password"
    world.password_file.write_text(kafka.sasl_password)
    for operation in ("READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"):
        world.broker.admin("allow", "relay", operation, "topic", "*")
    relay = world.start(sasl(world))
    assert relay.wait(40) == 78, relay.tail()
    assert relay.says("transactional_id_unauthorized"), relay.tail()
    code, out, err = ask("doctor", "-c", sasl(world))
    assert "--operation Write --operation Describe --transactional-id" in out, out + err  # what is missing, to copy


def test_a_database_password_that_changes_while_running_is_taken_up(make_world, own_postgres, kafka):
    postgres = own_postgres()
    world = make_world(postgres, kafka)
    password = world.directory / "db-password"
    password.write_text("first\n")
    postgres.query("ALTER ROLE relay PASSWORD 'first'")
    config = world.config(database={"url": f"postgresql://relay@127.0.0.1:{postgres.port}/{world.name}", "password_file": str(password)})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(5)
    world.check()
    postgres.query("ALTER ROLE relay PASSWORD 'second'")
    postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'relay'")
    relay.wait_for_log("auth_failed")
    time.sleep(1)
    assert relay.alive(), "a password that is late must not end a relay that was connected before"
    password.write_text("second\n")
    world.emit(5)
    world.check(timeout=60)
    assert relay.stop() == 0


def test_the_database_connection_speaks_tls(make_world, own_postgres, kafka):
    postgres = own_postgres(tls=True)
    world = make_world(postgres, kafka)
    ca = postgres.directory / "tls/ca.crt"
    url = world.url(options=f"?sslmode=verify-full&sslrootcert={ca}")
    relay = world.start(world.config(database={"url": url}))
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    rows = postgres.query("""SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'relay'""")
    assert rows and all(row[0] for row in rows)
    assert relay.stop() == 0
    wrong = world.config(database={"url": world.url(options="?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt")})
    refused = world.start(wrong)
    assert refused.wait(40) == 78, refused.tail()
    assert refused.says("tls_failed"), refused.tail()


def test_secrets_are_never_shown(world):
    from rig.world import RELAY_PASSWORD

    code, out, err = ask("config", "show", "-c", world.config())
    assert code == 0 and "***" in out, out + err
    assert RELAY_PASSWORD[:8] not in out + err
    relay = world.start(command=("run", "--log-level", "debug"))
    world.wait_until_streaming(relay)
    world.emit(3)
    world.check()
    wait_for(lambda: True, "")
    assert relay.stop() == 0
    assert not relay.says("with a ' and a @") and not relay.says("padding"), "a secret or a row is in the log"
