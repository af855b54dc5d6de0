#include <fstream>

#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

namespace {
std::string whole(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}
bool ok(const std::string& answer) {
  return answer.find("[exit") == std::string::npos;
}
}  // namespace

TEST_CASE(
    "sandbox: root inside reaches neither the host's files nor the data directory nor a neighbour",
    "[infra]") {
  sandbox on;
  if (lacks(on, "full")) return;
  const auto id = on.up(on.spec("prisoner"));
  const auto neighbour = on.up(on.spec("neighbour"));
  CHECK(ok(on.sh(neighbour,
                 "echo secret-of-neighbour > /workspace/s; (setsid sleep 300 >/dev/null 2>&1 &)")));
  std::ofstream(on.data_dir() + "/admin-token") << "secret-of-the-server";
  std::ofstream("/root/.berth-test-secret") << "secret-of-root";

  CHECK(on.sh(id, "cat /etc/shadow", "root") != whole("/etc/shadow"));
  CHECK(on.sh(id, "sudo cat /etc/shadow | grep -c '\\$'").substr(0, 1) == "0");
  CHECK(!ok(on.sh(id, "sudo ls " + on.data_dir())));
  CHECK(!ok(on.sh(id, "sudo cat /root/.berth-test-secret")));
  CHECK(!ok(on.sh(id,
                  "sudo grep -rsl secret-of --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr "
                  "/ | grep . || false")));
  CHECK(!ok(on.sh(id, "sudo cat /proc/1/root/etc/hostname | grep -v prisoner | grep . ")));
  // The agent and the neighbour cannot be seen, signalled or entered.
  CHECK(on.sh(id, "sudo ps -eo args | grep -c '[s]leep 300'").substr(0, 1) == "0");
  CHECK(on.sh(id, "sudo ps -eo pid,args | grep '[b]erth-agent --serve' | grep -vc '^ *1 '")
            .substr(0, 1) == "0");
  CHECK(!ok(on.sh(id, "sudo mount -t tmpfs none /mnt")));
  CHECK(!ok(on.sh(id, "sudo umount /proc")));
  CHECK(!ok(on.sh(id, "sudo mknod /tmp/disk b 254 0 && sudo head -c1 /tmp/disk")));
  CHECK(!ok(on.sh(id, "sudo sh -c 'echo b > /proc/sysrq-trigger'")));
  CHECK(!ok(on.sh(id, "sudo head -c1 /proc/kcore")));
  CHECK(!ok(on.sh(id, "sudo sh -c 'echo 1 > /proc/sys/vm/drop_caches'")));
  CHECK(!ok(on.sh(id, "sudo dmesg | grep .")));
  CHECK(!ok(on.sh(id, "sudo nsenter -t 1 -m true")));
  CHECK(!ok(on.sh(id, "sudo chroot /proc/1/root ls " + on.data_dir())));
  // What it writes belongs to its own range of ids on the host.
  CHECK(ok(on.sh(id, "sudo touch /workspace/by-root")));
  struct stat seen {};
  REQUIRE(::stat((on.data_dir() + "/environments/env_prisoner/workspace/by-root").c_str(), &seen) ==
          0);
  CHECK(seen.st_uid >= environment_id_base);
  // Killing everything it can see ends no agent.
  on.sh(id, "sudo kill -9 -1");
  CHECK(on.sh(id, "echo alive") == "alive\n");
  ::unlink("/root/.berth-test-secret");
}

TEST_CASE("sandbox: a workload out of memory is killed, its environment goes on", "[infra]") {
  sandbox on;
  if (lacks(on, "memory")) return;
  auto spec = on.spec("memory");
  spec.memory_bytes = 64u << 20;
  const auto id = on.up(spec);
  const auto answer = on.sh(id, "exec perl -e '$x = \"a\" x 200_000_000; print length $x'");
  CHECK(answer.find("[exit 137]") != std::string::npos);
  CHECK(on.sh(id, "echo alive") == "alive\n");
  // A full /dev/shm counts as memory and leaves room for the next command.
  on.sh(id, "head -c 100000000 /dev/zero > /dev/shm/full 2>/dev/null");
  CHECK(on.sh(id, "echo alive") == "alive\n");
}

TEST_CASE("sandbox: a fork bomb is held by the pids limit and the environment can be destroyed",
          "[infra]") {
  sandbox on;
  if (lacks(on, "pids")) return;
  auto spec = on.spec("bomb");
  spec.pids_max = 48;
  const auto id = on.up(spec);
  exec_request request;
  request.effect = sandbox::next_effect();
  request.command = {"/bin/bash", "-c", "bomb() { bomb | bomb & wait; }; while :; do bomb; done"};
  on.host->exec(id, request, [](host_result<exec_output>) {});
  CHECK(on.seen.until([&](recorder& r) { return r.stats_[id].pids >= 40; }));
  CHECK(on.seen.until([&](recorder& r) { return r.stats_[id].pids <= 48; }));
  const auto before = std::chrono::steady_clock::now();
  on.destroy(id);
  CHECK(std::chrono::steady_clock::now() - before < 10s);
}

TEST_CASE("sandbox: two busy loops get the processor time of the limit, not of two cores",
          "[infra]") {
  sandbox on;
  if (lacks(on, "cpu")) return;
  auto spec = on.spec("cpu");
  spec.cpu_millis = 250;
  const auto id = on.up(spec);
  const auto used = on.sh(id,
                          "for i in 1 2; do timeout 1 sh -c 'while :; do :; done' & done; wait; "
                          "cat /proc/self/stat >/dev/null; times | tail -1");
  double minutes = 0;
  double seconds = 0;
  REQUIRE(std::sscanf(used.c_str(), "%lfm%lfs", &minutes, &seconds) == 2);
  CHECK(minutes * 60 + seconds < 0.8);
}
