"""Kafka's jars and what makes its start fast, made once and shared by every checkout of a user.

The cache (BERTH_KAFKA_CACHE, else $XDG_CACHE_HOME/berth/kafka, else ~/.cache/berth/kafka) holds

    jars-<pom>/          what Maven copied
    start-<pom, java>/   bootstrap.checkpoint: the metadata Kafka's own formatting writes (0.6 s)
                         kafka.jsa: the classes already parsed (AppCDS), half the CPU of a start

A folder gets its name when it is complete, so a name that is there can be used without the lock.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import broker_probe
import broker_settings
from broker_process import (
    BrokersError,
    Detached,
    Unavailable,
    locked,
    run_to_end,
    tail,
    until,
)

POM = pathlib.Path(__file__).resolve().with_name("pom.xml")
JAVA_VERSION_MIN = 17
MAVEN_WITHIN_S = 600
FORMAT_WITHIN_S = 60
TRAINING_WITHIN_S = 120
LOCK_WITHIN_S = MAVEN_WITHIN_S + FORMAT_WITHIN_S + 2 * TRAINING_WITHIN_S

# A test's broker: C1 and the serial collector start faster and keep two cores for what is tested.
JVM_OPTIONS = (
    "-Xms32m",
    "-Xmx128m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",  # dead is easier to see than half alive
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)
INSTALL = "`./dev kafka up` installs it, or by hand: apt-get install"


def cache_directory() -> pathlib.Path:
    chosen = os.environ.get("BERTH_KAFKA_CACHE")
    if chosen:
        return pathlib.Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base).resolve() / "berth" / "kafka"


@dataclasses.dataclass(frozen=True)
class Distribution:
    """All that starting a broker takes."""

    java: pathlib.Path
    jars: pathlib.Path
    start: pathlib.Path

    @property
    def checkpoint(self) -> pathlib.Path:
        return self.start / "bootstrap.checkpoint"

    @property
    def environment(self) -> dict[str, str]:
        """Sorted: the archive of classes is good for one order of the class path only."""
        return {"CLASSPATH": ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))}

    def command(self, directory: pathlib.Path, *more: str) -> list:
        archive = self.start / "kafka.jsa"
        level = os.environ.get("BERTH_KAFKA_LOG", "warn")
        options = [*JVM_OPTIONS, f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}"]
        options.append(f"-Djava.io.tmpdir={directory / 'tmp'}")  # native libraries are unpacked
        if archive.exists():
            options += [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"]
            options += ["-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        return [self.java, *options, *more, "kafka.Kafka", directory / "server.properties"]


def prepare() -> Distribution:
    """Milliseconds when the cache is filled; else minutes, once, with Maven and the network."""
    java = find_java()
    pom = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    built = f"{pom} {java} {java.stat().st_mtime_ns} {JVM_OPTIONS}".encode()
    cache = cache_directory()
    made = Distribution(
        java, cache / f"jars-{pom}", cache / f"start-{hashlib.sha256(built).hexdigest()[:12]}"
    )
    if made.jars.exists() and made.start.exists():
        return made
    _check_version(java)
    with locked(cache / "lock", LOCK_WITHIN_S):
        if not made.jars.exists():
            _fill(made.jars, _copy_jars)
        if not made.start.exists():
            _fill(made.start, lambda folder: _make_start(made, folder))
    return made


def find_java() -> pathlib.Path:
    home = os.environ.get("JAVA_HOME")
    found = pathlib.Path(home, "bin/java") if home else shutil.which("java")
    if not found or not pathlib.Path(found).exists():
        where = f"JAVA_HOME={home}" if home else "the PATH"
        raise Unavailable(
            f"no java in {where}: Kafka needs Java {JAVA_VERSION_MIN} or later; "
            f"{INSTALL} openjdk-17-jre-headless"
        )
    return pathlib.Path(found).resolve()


def _check_version(java: pathlib.Path) -> None:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        raise BrokersError(f"{java} -version did not end within 30 s") from None
    found = re.search(rb'version "(\d+)', said.stderr)
    if not found or int(found[1]) < JAVA_VERSION_MIN:
        raise Unavailable(
            f"{java} is not Java {JAVA_VERSION_MIN} or later, which Kafka needs; "
            f"{INSTALL} openjdk-17-jre-headless, and let JAVA_HOME name it"
        )


def _fill(folder: pathlib.Path, make) -> None:
    """`make` works in a folder beside it, which gets the name at the end. The lock is held."""
    for abandoned in folder.parent.glob("making-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=folder.parent) as temporary:
        inside = pathlib.Path(temporary, "made")
        inside.mkdir()
        make(inside)
        inside.rename(folder)


def _copy_jars(folder: pathlib.Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise Unavailable(f"no mvn in the PATH: it brings Kafka's jars; {INSTALL} maven")
    print("kafka: copying Kafka's jars with Maven, once (43 MB)", file=sys.stderr, flush=True)
    project = folder.parent  # of its own, so that Maven leaves nothing in the repository
    shutil.copyfile(POM, project / "pom.xml")
    command = [maven, "--batch-mode", "--quiet", "--file", project / "pom.xml"]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={folder}"]
    try:
        run_to_end(command, project / "maven.log", MAVEN_WITHIN_S)
    except BrokersError as why:
        raise Unavailable(
            f"Maven could not copy Kafka's jars; it must reach a Maven repository once. {why}"
        ) from None
    if not any(folder.glob("kafka_*.jar")):
        raise BrokersError(f"Maven copied no Kafka jar:\n{tail(project / 'maven.log')}")


def _make_start(made: Distribution, folder: pathlib.Path) -> None:
    print("kafka: preparing a fast start, once", file=sys.stderr, flush=True)
    node = folder.parent / "1"
    (node / "tmp").mkdir(parents=True)
    cluster = broker_settings.Cluster.of(1)
    broker_settings.write(node, broker_settings.properties(cluster, 1, node))
    format_data(made, node, cluster.cluster_id)
    shutil.copyfile(node / "data/bootstrap.checkpoint", folder / "bootstrap.checkpoint")
    _record_classes(made, node, cluster, folder / "kafka.jsa")


def format_data(made: Distribution, node: pathlib.Path, cluster_id: str, *more: str) -> None:
    """Kafka's own formatting of a data directory: what `more` is for, such as the first users."""
    command = [made.java, *JVM_OPTIONS, "kafka.tools.StorageTool", "format"]
    command += ["-t", cluster_id, "-c", node / "server.properties", *more]
    run_to_end(command, node / "format.log", FORMAT_WITHIN_S, made.environment)


def _record_classes(made: Distribution, node: pathlib.Path, cluster, archive: pathlib.Path) -> None:
    """A broker's life, recorded when it ends. Without the archive brokers only start slower."""
    broker = Detached(node)
    broker.start(made.command(node, f"-XX:ArchiveClassesAtExit={archive}"), made.environment)

    def answers() -> bool:
        if broker.pid() is None:
            raise BrokersError(f"a first broker ended at its start:\n{tail(broker.log)}")
        with contextlib.suppress(OSError):
            broker_probe.members(cluster.ports[1].client, 2)
            return True
        return False

    try:
        if not until(answers, TRAINING_WITHIN_S):
            raise BrokersError(
                f"a first broker did not answer within {TRAINING_WITHIN_S} s:\n{tail(broker.log)}"
            )
        broker.signal(signal.SIGTERM)
        if not broker.wait_gone(TRAINING_WITHIN_S):
            raise BrokersError(
                f"a first broker did not end within {TRAINING_WITHIN_S} s:\n{tail(broker.log)}"
            )
    finally:
        broker.signal(signal.SIGKILL)
        broker.wait_gone(10)
    if not archive.exists():
        print("kafka: this Java keeps no class archive; starts are slower", file=sys.stderr)
