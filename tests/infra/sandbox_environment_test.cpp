#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

TEST_CASE(
    "sandbox: home and workspace persist over stop and start, a new start is a new incarnation",
    "[infra]") {
  sandbox on;
  if (lacks(on, "full")) return;
  const auto spec = on.spec("keep");
  on.create(spec);
  const auto first = on.start(spec);
  CHECK(on.sh(spec.id, "pwd; id -un; hostname; echo $HOME") ==
        "/workspace\ndev\nkeep\n/home/dev\n");
  CHECK(on.sh(spec.id,
              "echo one > /workspace/a; echo two > ~/b; sudo sh -c 'echo three > /etc/c; echo four "
              "> /usr/local/d'") == "");
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
  CHECK(
      on.sh(
          id,
          "echo hi > /dev/null && head -c4 /dev/urandom | wc -c && test -w /dev/shm && echo ok") ==
      "4\nok\n");
  const auto templates = on.host->templates();
  REQUIRE(templates.size() == 1);
  CHECK(templates[0].name == "host");
  CHECK(templates[0].tools.size() > 3);
}

TEST_CASE("sandbox without root: one user, a home, a workspace and terminals, said to be reduced",
          "[.reduced]") {
  REQUIRE(::geteuid() != 0);
  sandbox on;
  if (lacks(on, "works")) return;
  CHECK(on.host->capabilities().isolation == "reduced");
  CHECK(on.host->capabilities().limits == "none");
  CHECK(on.host->capabilities().network == "none");
  CHECK(!on.host->capabilities().problems.empty());
  const auto spec = on.spec("small");
  on.create(spec);
  on.start(spec);
  CHECK(on.sh(spec.id, "id -un; pwd; hostname; echo $HOME") ==
        "dev\n/workspace\nsmall\n/home/dev\n");
  CHECK(on.sh(spec.id, "echo one > /workspace/a; echo two > ~/b") == "");
  CHECK(on.sh(spec.id, "touch /usr/bin/x").find("[exit") != std::string::npos);
  CHECK(on.sh(spec.id, "ls " + on.data_dir()).find("[exit") != std::string::npos);
  on.stop(spec.id);
  on.start(spec);
  CHECK(on.sh(spec.id, "cat /workspace/a ~/b") == "one\ntwo\n");
}

// The case above in a process of another user.
TEST_CASE("sandbox: a server without root gets the reduced kind", "[infra]") {
  constexpr uid_t somebody = 54'321;
  const auto program = fs::read_symlink("/proc/self/exe").native();
  if (::geteuid() != 0) {
    std::printf("SKIP sandbox reduced: only root can become another user\n");
    return;
  }
  const int child = ::fork();
  if (child == 0) {
    if (::setresgid(somebody, somebody, somebody) != 0 ||
        ::setresuid(somebody, somebody, somebody) != 0)
      ::_exit(1);
    ::execl(program.c_str(), program.c_str(), "sandbox without root*", static_cast<char*>(nullptr));
    ::_exit(errno == EACCES ? 126 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 126) {
    std::printf("SKIP sandbox reduced: another user cannot reach %s\n", program.c_str());
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}
