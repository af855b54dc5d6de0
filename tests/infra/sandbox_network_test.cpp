// All interfaces and rules are made in net namespaces of this test: the machine's own network is
// not touched.
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <exception>
#include <thread>

#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

// Answers every connection with `text`, for ever. Between fork and exec only system calls.
[[noreturn]] void serve(std::uint16_t port, const char* text) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (::bind(listening, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      ::listen(listening, 8) != 0)
    ::_exit(1);
  while (true) {
    const int client = ::accept(listening, nullptr, nullptr);
    if (client < 0) continue;
    (void)!::write(client, text, std::strlen(text));
    ::close(client);
  }
}

int start_server(bool own_network, std::uint16_t port, const char* text) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const int pid = ::fork();
  if (pid == 0) {
    if (own_network && ::unshare(CLONE_NEWNET) != 0) ::_exit(1);
    (void)!::write(ready[1], "R", 1);
    serve(port, text);
  }
  char byte = 0;
  (void)!::read(ready[0], &byte, 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return pid;
}

bool run(const std::string& line) {
  return std::system((line + " >/dev/null 2>&1").c_str()) == 0;
}

std::string get(sandbox& on, const environment_id& id, const std::string& address, int port) {
  return on.sh(id, "timeout 1 bash -c 'exec 3<>/dev/tcp/" + address + "/" + std::to_string(port) +
                       "; cat <&3' 2>/dev/null");
}

void check_network(int outside) {
  const auto peer = std::to_string(outside);
  if (!run("ip link set lo up && ip link add up0 type veth peer name eth0 netns " + peer +
           " && ip addr add 198.51.100.1/24 dev up0 && ip link set up0 up && nsenter -t " + peer +
           " -n sh -c 'ip link set lo up; ip addr add 198.51.100.2/24 dev eth0; ip addr add "
           "169.254.169.254/32 dev lo; ip link set eth0 up; "
           "ip route add default via 198.51.100.1' && ip route add default via 198.51.100.2")) {
    std::printf("SKIP sandbox outbound: no net namespaces, veth or iproute2\n");
    return;
  }
  const int own_service = start_server(false, 8081, "host-service");
  {
    sandbox on(true);
    if (!lacks(on, "outbound")) {
      const auto one = on.up(on.spec("net-one"));
      const auto two = on.up(on.spec("net-two"));
      CHECK(get(on, one, "198.51.100.2", 9001) == "outside");
      CHECK(get(on, two, "198.51.100.2", 9001) == "outside");
      CHECK(get(on, one, "198.51.100.1", 8081).find("host-service") == std::string::npos);
      const auto gateway =
          on.sh(one, "ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p' | tr -d '\\n'");
      CHECK(get(on, one, gateway, 8081).find("host-service") == std::string::npos);
      CHECK(get(on, one, "169.254.169.254", 9001).find("outside") == std::string::npos);
      const auto address = on.sh(two, "hostname -I | tr -d ' \\n'");
      REQUIRE(address.rfind("10.", 0) == 0);
      on.sh(two,
            "(setsid perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 7000, "
            "Listen => 5, ReuseAddr => 1); "
            "while ($c = $s->accept) { print $c \"neighbour\"; close $c }' >/dev/null 2>&1 &)");
      CHECK(on.seen.until([](recorder&) { return true; }));
      std::string local;
      for (int i = 0; i < 100 && local != "neighbour"; ++i) local = get(on, two, "127.0.0.1", 7000);
      CHECK(local == "neighbour");
      CHECK(get(on, one, address, 7000).find("neighbour") == std::string::npos);
      // A program inside may be reached by its owner through dial, network or not.
      const auto dialled = await<int>([&](auto done) { on.host->dial(two, 7000, done); });
      REQUIRE(dialled);
      pollfd wait{*dialled, POLLIN, 0};
      REQUIRE(::poll(&wait, 1, 10'000) == 1);
      char text[16]{};
      CHECK(::read(*dialled, text, sizeof text) == 9);
      ::close(*dialled);
      // The address survives a stop, the new pair of interfaces works.
      on.stop(two);
      on.start(on.spec("net-two"));
      CHECK(on.sh(two, "hostname -I | tr -d ' \\n'") == address);
      CHECK(get(on, two, "198.51.100.2", 9001) == "outside");
    }
  }
  ::kill(own_service, SIGKILL);
  ::waitpid(own_service, nullptr, 0);
}

}  // namespace

TEST_CASE(
    "sandbox: outbound works; this machine, its metadata and other environments are out of reach",
    "[infra]") {
  std::exception_ptr failed;
  std::thread([&failed] {
    if (::unshare(CLONE_NEWNET) != 0) {
      std::printf("SKIP sandbox outbound: unshare: %s\n", std::strerror(errno));
      return;
    }
    const int outside = start_server(true, 9001, "outside");
    try {
      check_network(outside);
    } catch (...) {
      failed = std::current_exception();
    }
    ::kill(outside, SIGKILL);
    ::waitpid(outside, nullptr, 0);
  }).join();
  if (failed) std::rethrow_exception(failed);
}
