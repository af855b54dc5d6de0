#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

TEST_CASE("sandbox: home and workspace persist over stop and start, a new start is a new incarnation", "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto spec = on.spec("keep");
  on.create(spec);
  const auto first = on.start(spec);
  CHECK(on.sh(spec.id, "pwd; id -un; hostname; echo $HOME") == "/workspace\ndev\nkeep\n/home/dev\n");
  CHECK(on.sh(spec.id, "echo one > /workspace/a; echo two > ~/b; sudo sh -c 'echo three > /etc/c; echo four > /usr/local/d'") == "");
  on.stop(spec.id);
  const auto stopped = on.exec(spec.id, {"true"});
  REQUIRE(!stopped);
  CHECK(stopped.error().code == host_errc::not_running);
  const auto second = on.start(spec);
  CHECK(!(first == second));
  CHECK(on.start(spec) == second);
  CHECK(on.sh(spec.id, "cat /workspace/a ~/b /etc/c /usr/local/d") == "one\ntwo\nthree\nfour\n");
}

TEST_CASE("sandbox: every call may be repeated, what is gone answers typed errors", "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  auto spec = on.spec("again");
  auto missing = await<incarnation>([&](auto done) { on.host->start(spec, done); });
  REQUIRE(!missing);
  CHECK(missing.error().code == host_errc::not_found);
  on.create(spec);
  on.create(spec);
  on.stop(spec.id);
  on.start(spec);
  on.epoch = 5;
  on.stop(spec.id);
  on.epoch = 4;
  auto stale = await<bool>([&](auto done) { on.host->stop(spec.id, 4, done); });
  REQUIRE(!stale);
  CHECK(stale.error().code == host_errc::stale_owner);
  on.drop_server();
  on.open();
  stale = await<bool>([&](auto done) { on.host->destroy(spec.id, 4, done); });
  REQUIRE(!stale);
  CHECK(stale.error().code == host_errc::stale_owner);
  on.epoch = 5;
  on.destroy(spec.id);
  on.destroy(spec.id);
  CHECK(!fs::exists(on.data_dir() + "/environments/" + spec.id.value));
  spec.template_name = "debian";
  spec.id = {"env_other"};
  auto unknown = await<bool>([&](auto done) { on.host->create(spec, done); });
  REQUIRE(!unknown);
  CHECK(unknown.error().code == host_errc::unknown_template);
  spec.id = {"../../etc"};
  unknown = await<bool>([&](auto done) { on.host->create(spec, done); });
  REQUIRE(!unknown);
  CHECK(unknown.error().code == host_errc::not_found);
}

TEST_CASE("sandbox: inside there is what a developer expects", "[infra]") {
  sandbox on;
  if (lacks(on, "full")) return;
  const auto id = on.up(on.spec("tools"));
  CHECK(on.sh(id, "sudo id -u") == "0\n");
  CHECK(on.sh(id, "git --version").rfind("git version", 0) == 0);
  CHECK(on.sh(id, "vim --version | head -1").find("VIM") != std::string::npos);
  CHECK(on.sh(id, "ps -e | wc -l").find("[exit") == std::string::npos);
  CHECK(on.sh(id, "locale charmap") == "UTF-8\n");
  CHECK(on.sh(id, "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt") != "0\n");
  CHECK(on.sh(id, "test -s /etc/resolv.conf && echo yes") == "yes\n");
  CHECK(on.sh(id, "bash -lc 'echo $PATH'").find("/usr/bin") != std::string::npos);
  CHECK(on.sh(id, "sudo ls -A /root /srv /opt /mnt | grep -v : | grep -v '^$' | wc -l") == "0\n");
  CHECK(on.sh(id, "python3 -c 'print(6*7)'") == "42\n");
  CHECK(on.sh(id, "echo hi > /dev/null && head -c4 /dev/urandom | wc -c && test -w /dev/shm && echo ok") == "4\nok\n");
  const auto templates = on.host->templates();
  REQUIRE(templates.size() == 1);
  CHECK(templates[0].name == "host");
  CHECK(templates[0].tools.size() > 3);
}
