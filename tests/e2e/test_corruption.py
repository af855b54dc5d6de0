"""Damage to the data directory as the binaries show it; 1,000 seeded cases are in tests/infra."""

import pathlib
import shutil
import subprocess

import pytest

from berth.rest import uuid7

EXIT_DATA_LOSS = 3
EXIT_CORRUPT = 6


@pytest.fixture(scope="module")
def recorded(make_server, tmp_path_factory):
    """A data directory with acknowledged commands in it, its server killed."""
    server = make_server()
    rest = server.rest()
    names = [f"acct-{number}" for number in range(40)]
    for name in names:
        rest.good("POST", "/api/v1/accounts", {"name": name}, uuid7())
    server.kill9()
    return server, names


@pytest.fixture
def damaged(recorded):
    """A copy to damage; put back over the server's directory afterwards."""
    server, _ = recorded
    kept = server.data_dir.with_name("kept")
    shutil.copytree(server.data_dir, kept, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    yield server
    if server.process.poll() is None:
        server.kill9()
    shutil.rmtree(server.data_dir)
    kept.rename(server.data_dir)


def start(server) -> tuple[int | None, str]:
    """Exit code, or nothing if it serves; and what it said."""
    before = len(server.log())
    try:
        server.start()
    except AssertionError:
        pass
    return server.process.poll(), server.log()[before:]


def log_files(server, suffix) -> list[pathlib.Path]:
    found = sorted((server.data_dir / "log").glob(f"*{suffix}"), key=lambda p: p.stat().st_size)
    assert found, f"no {suffix} in log/"
    return found


def accounts(server) -> set[str]:
    return {each["name"] for each in server.rest().items("/api/v1/accounts")}


def test_a_kill_alone_loses_nothing(damaged, recorded):
    code, said = start(damaged)
    assert code is None, said
    assert set(recorded[1]) <= accounts(damaged)


def test_a_torn_unacknowledged_last_write_recovers_without_a_word(damaged, recorded):
    with open(log_files(damaged, ".log")[-1], "ab") as file:
        file.write(b"\x17\x42\x01\x00torn")
    code, said = start(damaged)
    assert code is None, said
    assert "error" not in said.lower() and "corrupt" not in said.lower(), said
    assert set(recorded[1]) <= accounts(damaged)


def test_a_log_cut_behind_the_head_is_data_loss_until_accepted(damaged, recorded):
    path = log_files(damaged, ".log")[-1]
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    code, said = start(damaged)
    assert code in (EXIT_DATA_LOSS, EXIT_CORRUPT), said
    assert "accept-loss" in said, said
    again, _ = start(damaged)
    assert again == code, "the second start went on as if nothing were"
    tool = ["berth-inspect", "--data-dir", str(damaged.data_dir)]
    refused = damaged.tool(*tool, "accept-loss")
    assert refused.returncode == 2 and b"--yes" in refused.stderr
    accepted = damaged.tool(*tool, "accept-loss", "--yes")
    assert accepted.returncode == 0, accepted
    code, said = start(damaged)
    assert code is None, said
    assert damaged.inspect("verify")["ok"]


def test_a_flipped_bit_is_named_by_verify_and_never_served(damaged, recorded):
    path = log_files(damaged, ".log")[-1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    done = damaged.tool("berth-inspect", "--data-dir", str(damaged.data_dir), "verify")
    assert done.returncode in (EXIT_DATA_LOSS, EXIT_CORRUPT), done
    assert path.name.encode() in done.stderr or b"offset" in done.stderr or b" at 0/" in done.stderr
    code, said = start(damaged)
    assert code in (EXIT_DATA_LOSS, EXIT_CORRUPT), said


def test_a_lost_state_folder_is_rebuilt(damaged, recorded):
    shutil.rmtree(damaged.data_dir / "state")
    code, said = start(damaged)
    assert code is None, said
    assert set(recorded[1]) <= accounts(damaged)


def test_a_damaged_admin_token_file_does_not_stop_the_server(damaged):
    token = damaged.admin_token
    (damaged.data_dir / "admin-token").write_text("")
    code, said = start(damaged)
    assert code is None, said
    assert damaged.rest(token).ask("GET", "/api/v1/auth/whoami").status == 200


def test_a_data_directory_of_another_kind_is_refused(recorded, tmp_path):
    (tmp_path / "data").write_text("a file")
    done = subprocess.run(
        [recorded[0].command()[0], "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0"],
        capture_output=True,
        timeout=20,
    )
    assert done.returncode not in (0, -6, -11), done
    assert str(tmp_path).encode() in done.stdout + done.stderr
