#!/usr/bin/env python3
"""Apache Pekko Persistence (Maven Central): commands to persistent actors, in its own process.

Durable as ours, each journal with fsync before the answer: LevelDB (native, inside the process) and
PostgreSQL through pekko-persistence-jdbc, which writes what waits as one transaction. Does not do:
no idempotency keys, no answer kept for a retried command.
"""
import contextlib
import json
import os
import pathlib
import shutil
import zipfile

import peer

VERSION, JDBC_VERSION = "1.1.5", "1.1.1"
JARS = (("org.apache.pekko", "pekko-persistence-typed_2.13", VERSION),
        ("org.apache.pekko", "pekko-persistence-jdbc_2.13", JDBC_VERSION),
        ("org.fusesource.leveldbjni", "leveldbjni-all", "1.8"),
        ("org.postgresql", "postgresql", "42.7.7"),
        ("org.slf4j", "slf4j-nop", "2.0.17"))
HERE = pathlib.Path(__file__).resolve().parent

COMMON = """
pekko { loglevel = "OFF", stdout-loglevel = "OFF", log-dead-letters = off }
"""
LEVELDB = COMMON + """
pekko.persistence.journal {
  plugin = "pekko.persistence.journal.leveldb"
  leveldb { dir = "%s", fsync = on, native = on }
}
"""
POSTGRES = COMMON + """
pekko.persistence.journal.plugin = "jdbc-journal"
jdbc-journal.slick {
  profile = "slick.jdbc.PostgresProfile$"
  db {
    driver = "org.postgresql.Driver", user = "bench"
    url = "jdbc:postgresql://127.0.0.1:%d/postgres?reWriteBatchedInserts=true"
  }
}
"""
SERVER_SETTINGS = ("fsync=on", "synchronous_commit=on", "listen_addresses=127.0.0.1",
                   "unix_socket_directories=", "shared_buffers=512MB", "max_wal_size=4GB")


def install(directory):
    mvn = peer.need("mvn", "the Debian package maven")
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>" for group, name, version in JARS)
    (directory / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>bench</groupId>"
        "<artifactId>peer</artifactId><version>1</version>"
        f"<dependencies>{wanted}</dependencies></project>", encoding="utf-8")
    peer.call([mvn, "--quiet", "--batch-mode", "dependency:copy-dependencies",
               "-DoutputDirectory=jars"], 600, cwd=directory)


def commands(jars, config, directory, actors, in_flight, seconds):
    file = directory / "application.conf"
    file.write_text(config, encoding="utf-8")
    java = peer.need("java", "Java 17 or later")
    printed = peer.call(
        [java, f"-Dconfig.file={file}", f"-Djava.io.tmpdir={directory}", "-cp", f"{jars}/*",
         HERE / "PekkoBench.java", actors, in_flight, seconds], 120 + seconds)
    return json.loads(printed.strip().splitlines()[-1])


def rows(journal, jars, config, directory, quick):
    seconds = 3 if quick else 10
    for actors, in_flight in ((1000, 1000), (1, 1)):
        name = f"commands, {in_flight} in flight, {journal}"
        peer.report("pekko", name,
                    **commands(jars, config, directory, actors, in_flight, seconds))


@contextlib.contextmanager
def postgres(jars, directory):
    """A server of our own, under the user its package made: it refuses to run as root."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise peer.Unavailable("no PostgreSQL here; it comes with the Debian package postgresql")
    data, port = directory / "postgres", peer.free_port()
    data.mkdir()
    who = {}
    if os.getuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    peer.call([found[-1] / "initdb", "--pgdata", data, "--username", "bench", "--auth", "trust"],
              120, cwd=data, **who)
    command = [found[-1] / "postgres", "-D", data, "-p", port]
    for setting in SERVER_SETTINGS:
        command += ["-c", setting]
    with peer.Process(command, directory / "postgres.log", cwd=data, **who) as server:
        server.wait_listening(port)
        plugin = next(jars.glob("pekko-persistence-jdbc_*.jar"))
        schema = directory / "schema.sql"
        with zipfile.ZipFile(plugin) as jar:
            schema.write_bytes(jar.read("schema/postgres/postgres-create-schema.sql"))
        fill = [found[-1] / "psql", "-h", "127.0.0.1", "-p", port, "-U", "bench", "-q", "-f",
                schema, "postgres"]
        peer.patiently(lambda: peer.call(fill, 60), peer.Unavailable)
        yield port


def measure(quick, directory):
    jars = peer.install_once("pekko", f"{VERSION}-{JDBC_VERSION}", install) / "jars"
    rows("LevelDB", jars, LEVELDB % (directory / "leveldb"), directory, quick)
    with postgres(jars, directory) as port:
        rows("PostgreSQL", jars, POSTGRES % port, directory, quick)


if __name__ == "__main__":
    peer.drive("pekko", measure)
