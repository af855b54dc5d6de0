#include "gateway/peer/peer_network.hpp"

#include <condition_variable>
#include <future>

#include "events/core/partition.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_host.hpp"
#include "tests/support/fake_kernel.hpp"
#include "tests/support/node_certificates.hpp"
#include "tests/support/partitioned_journal.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/terminal_kernel.hpp"

using namespace berth;
using namespace berth::gateway::peer;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t partitions = 8;
constexpr auto within = 10s;

template <class Condition>
bool soon(Condition holds) {
  for (const auto until = std::chrono::steady_clock::now() + within;
       std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(2ms))
    if (holds()) return true;
  return false;
}

std::uint16_t free_port() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor taken{io, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  return taken.local_endpoint().port();
}

// A node whose kernel is a fake: what it is asked it does itself.
struct node {
  node(std::uint32_t ordinal, node_certificates& authority, const std::string& ca = {}) {
    const auto own = authority.make("node" + std::to_string(ordinal));
    const auto at = "127.0.0.1:" + std::to_string(free_port());
    auto opened = peer_network::open({ordinal, "host_" + std::to_string(ordinal), "topic", at, at,
                                      own.certificate, own.key,
                                      ca.empty() ? authority.ca_file() : ca, partitions, 2'000ms});
    REQUIRE(opened);
    network = std::move(*opened);
    network->on_change([] {});
    network->serve(terminals, bulk, host, [this] { return load; });
  }
  ~node() { network->stop(); }
  cluster_member member() const {
    const auto& mine = network->options();
    return {mine.ordinal, mine.advertise, mine.host};
  }

  manual_clock clock;
  partitioned_journal journal{clock, partitions};
  fake_kernel kernel{clock, journal};
  terminal_kernel terminals{kernel};
  memory_bulk_log bulk;
  fake_host host;
  node_load load{3, 4, true, false, false};
  std::unique_ptr<peer_network> network;
};

// Two nodes that know each other.
struct pair {
  temporary_folder folder;
  node_certificates authority{folder.path().string()};
  node a{0, authority};
  node b{1, authority};

  pair() {
    meet();
    REQUIRE(soon([&] { return b_from_a() && a.network->status()[1].load.environments == 3; }));
  }
  void meet() {
    for (auto* each : {&a, &b}) each->network->members({a.member(), b.member()});
  }
  static std::string key_at(std::uint32_t home, aggregate_kind kind, const char* prefix) {
    return derived_id_at(home, partitions, kind, prefix, "acct_1", uuid{});
  }
  account_id account{key_at(1, aggregate_kind::account, "acct")};
  terminal_id terminal{key_at(1, aggregate_kind::terminal, "term")};
  std::shared_ptr<kernel> b_from_a() {
    return a.network->at_home_of({aggregate_kind::account, account.value});
  }
};

template <class T>
outcome<T> wait_for(const std::function<void(std::function<void(outcome<T>)>)>& ask) {
  auto got = std::make_shared<std::promise<outcome<T>>>();
  auto answer = got->get_future();
  ask([got](outcome<T> result) { got->set_value(std::move(result)); });
  REQUIRE(answer.wait_for(within) == std::future_status::ready);
  return answer.get();
}

using account_answer = answer<account::aggregate>;

outcome<account_answer> create(kernel& at, const account_id& id, int command) {
  return wait_for<account_answer>([&](auto done) {
    at.ask(id, account::create{"anna", account::role::member},
           {uuid::derived("test", std::to_string(command)), system_principal(id), {}, {}, {}},
           std::move(done));
  });
}

// Keeps what it is told; several threads.
struct viewer : terminal_viewer {
  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    const std::lock_guard lock{mutex};
    if (offset != bytes.size()) out_of_order = true;
    bytes.append(*data, skip, size);
  }
  void gap(std::uint64_t, std::uint64_t) override {}
  void snapshot(std::uint64_t, std::uint16_t, std::uint16_t, const shared_bytes&) override {}
  void resized(std::uint64_t, std::uint16_t cols, std::uint16_t) override { width = cols; }
  void driver_changed(const session_id&) override {}
  void durable(std::uint64_t) override {}
  void input_applied(std::uint64_t sequence) override { applied = sequence; }
  void input_refused(std::uint64_t, const rejection&) override { ++refused; }
  void ended(const terminal::ended& end) override { code = end.exit_code.value_or(-1); }
  void failed(const rejection& why) override { lost = is_not_led(why) ? 1 : 2; }
  std::string text() {
    const std::lock_guard lock{mutex};
    return bytes;
  }
  std::mutex mutex;
  std::string bytes;
  std::atomic<bool> out_of_order{};
  std::atomic<std::uint64_t> applied{};
  std::atomic<int> refused{}, code{-2}, lost{}, width{};
};

}  // namespace

TEST_CASE("peers: a command and a read are answered by the node that leads the stream",
          "[gateway][peer]") {
  pair nodes;
  const auto made = create(*nodes.b_from_a(), nodes.account, 1);
  REQUIRE(made);
  CHECK(made->version.value == 1);
  CHECK(made->state->name == "anna");
  CHECK_FALSE(made->replayed);
  CHECK(create(*nodes.b_from_a(), nodes.account, 1)->replayed);
  const auto taken = create(*nodes.b_from_a(), nodes.account, 2);
  REQUIRE_FALSE(taken);
  CHECK(taken.error() == rejection_code::name_taken);
  const auto read = wait_for<account_answer>([&](auto done) {
    nodes.b_from_a()->read(nodes.account, system_principal(nodes.account), std::move(done));
  });
  REQUIRE(read);
  CHECK(*read->state == *made->state);
}

TEST_CASE("peers: who should lead is asked first, then every other node", "[gateway][peer]") {
  temporary_folder folder;
  node_certificates authority{folder.path().string()};
  node a{0, authority}, b{1, authority}, c{2, authority};
  for (auto* each : {&a, &b, &c}) each->network->members({a.member(), b.member(), c.member()});
  const stream_id of_b{aggregate_kind::account, pair::key_at(1, aggregate_kind::account, "acct")};
  const stream_id of_a{aggregate_kind::account, pair::key_at(0, aggregate_kind::account, "acct")};
  REQUIRE(soon([&] {
    return a.network->status()[1].is_linked && a.network->status()[2].is_linked;
  }));
  const auto first = a.network->leader_of(of_b, 0);
  CHECK(first == a.network->at_home_of(of_b));
  CHECK(a.network->leader_of(of_b, 1) != first);
  CHECK(a.network->leader_of(of_b, 2) == first);
  // What this node should lead itself somebody else may still lead.
  CHECK(a.network->leader_of(of_a, 0) != a.network->leader_of(of_a, 1));
}

TEST_CASE("peers: an environment is created, watched and run in from another node",
          "[gateway][peer]") {
  pair nodes;
  const auto there = nodes.b_from_a();
  REQUIRE(create(*there, nodes.account, 1));
  nodes.b.kernel.on_exec = [](const environment::exec& asked) {
    environment::exec_finished end;
    end.stdout_bytes = asked.command.back();
    return end;
  };
  const command_meta meta{uuid::derived("test", "env"), {nodes.account, "tok", false}, {}, {}, {}};
  const auto made = wait_for<created_environment>([&](auto done) {
    there->create_environment(nodes.account,
                              {nodes.account, "dev", "lightweight", "host", "2026-11"}, meta,
                              std::move(done));
  });
  REQUIRE(made);
  CHECK(made->id.value.starts_with("env_"));
  std::atomic<int> seen{};
  auto watch = there->watch(made->id, meta.by, [&](const auto& now) { seen += now ? 1 : 100; });
  CHECK(soon([&] { return seen == 1; }));
  auto ran = meta;
  ran.id = uuid::derived("test", "exec");
  const auto end = wait_for<exec_answer>([&](auto done) {
    there->exec(made->id,
                {{"exec_1"}, uuid::derived("test", "effect"), {"echo", "hello"}, {}, {}, {}, 1'000},
                ran, std::move(done));
  });
  REQUIRE(end);
  CHECK(end->result.stdout_bytes == "hello");
  CHECK(soon([&] { return seen >= 3; }));
  watch.reset();
}

TEST_CASE("peers: a terminal's bytes come in order, and its input arrives", "[gateway][peer]") {
  pair nodes;
  nodes.b.terminals.add(nodes.terminal, nodes.account);
  nodes.b.terminals.print(nodes.terminal, std::string(200'000, 'x'));
  const auto seen = std::make_shared<viewer>();
  auto attached = wait_for<attached_terminal>([&](auto done) {
    nodes.b_from_a()->attach({nodes.terminal,
                              {nodes.account, "tok", false},
                              {"sess_1"},
                              uuid::derived("test", "input"),
                              attach_mode::exact,
                              attach_right::drive,
                              0,
                              1'000'000},
                             seen, std::move(done));
  });
  REQUIRE(attached);
  CHECK(attached->end == 200'000);
  nodes.b.terminals.print(nodes.terminal, "prompt$ ");
  CHECK(soon([&] { return seen->text().size() == 200'008; }));
  attached->attachment->input(1, "ls\n");
  attached->attachment->resize(120, 40);
  CHECK(soon([&] { return seen->applied == 1 && seen->width == 120; }));
  CHECK(nodes.b.terminals.typed(nodes.terminal) == "ls\n");
  CHECK_FALSE(seen->out_of_order);

  SECTION("its end comes too") {
    nodes.b.terminals.end(nodes.terminal, 3);
    CHECK(soon([&] { return seen->code == 3; }));
  }
  SECTION("who detaches is gone there") {
    attached->attachment.reset();
    CHECK(soon([&] { return nodes.b.terminals.viewers(nodes.terminal) == 0; }));
  }
  SECTION("a node that ends fails what was attached there, and what is asked of it") {
    nodes.b.network->stop();
    CHECK(soon([&] { return seen->lost == 1; }));
    CHECK(soon([&] { return nodes.b_from_a() == nullptr; }));
  }
}

TEST_CASE("peers: a recording is read from the node that has it", "[gateway][peer]") {
  pair nodes;
  nodes.b.bulk.append(nodes.terminal, 0, share("some output"), from_us(7));
  const auto there = nodes.a.network->at_home_of({aggregate_kind::terminal, nodes.terminal.value});
  REQUIRE(there);
  const auto extent = wait_for<bulk_extent>(
      [&](auto done) { there->bulk_extent_of(nodes.terminal, std::move(done)); });
  REQUIRE(extent);
  CHECK(extent->next == 11);
  const auto bytes = wait_for<std::string>(
      [&](auto done) { there->bulk_read(nodes.terminal, 5, 100, std::move(done)); });
  REQUIRE(bytes);
  CHECK(*bytes == "output");
  const auto marks = wait_for<std::vector<bulk_mark>>(
      [&](auto done) { there->bulk_marks(nodes.terminal, 0, 11, std::move(done)); });
  REQUIRE(marks);
  CHECK(marks->front().time == from_us(7));
}

TEST_CASE("peers: a call that was under way when its node ended is of unknown outcome",
          "[gateway][peer]") {
  pair nodes;
  const auto there = nodes.b_from_a();
  nodes.b.network->stop();
  // The link may have ended before the call or under it: either way its id may be asked again.
  const auto asked = create(*there, nodes.account, 1);
  REQUIRE_FALSE(asked);
  CHECK((asked.error() == rejection_code::unknown_outcome || is_not_led(asked.error())));
}

TEST_CASE("peers: who leaves is led for by others at once, and back when it greets anew",
          "[gateway][peer]") {
  pair nodes;
  const auto led = [](const node& of) {
    const auto mine = of.network->wanted();
    return std::count(mine.begin(), mine.end(), true);
  };
  CHECK(led(nodes.a) + led(nodes.b) == partitions);
  CHECK(led(nodes.b) > 0);
  nodes.b.network->leave();
  CHECK(led(nodes.b) == 0);
  CHECK(soon([&] { return led(nodes.a) == partitions; }));
}

TEST_CASE("peers: a node of another authority is not let in", "[gateway][peer]") {
  temporary_folder one, other;
  node_certificates authority{one.path().string()};
  node_certificates stranger{other.path().string()};
  node a{0, authority};
  node b{1, stranger};
  for (auto* each : {&a, &b}) each->network->members({a.member(), b.member()});
  std::this_thread::sleep_for(500ms);
  CHECK_FALSE(a.network->status()[1].is_linked);
  CHECK_FALSE(b.network->status()[0].is_linked);
}

TEST_CASE("peers: settings that cannot work are refused by name", "[gateway][peer]") {
  temporary_folder folder;
  node_certificates authority{folder.path().string()};
  const auto own = authority.make("node");
  const auto refused = [&](auto change) {
    peer_options options{0,
                         "host_0",
                         "topic",
                         "127.0.0.1:0",
                         "127.0.0.1:1",
                         own.certificate,
                         own.key,
                         authority.ca_file(),
                         partitions,
                         2'000ms};
    change(options);
    const auto opened = peer_network::open(options);
    return opened ? std::string{} : opened.error().field;
  };
  CHECK(refused([](auto&) {}).empty());
  CHECK(refused([](auto& o) { o.listen = "nowhere"; }) == "cluster.listen");
  CHECK(refused([](auto& o) { o.listen = "127.0.0.1:99999"; }) == "cluster.listen");
  CHECK(refused([](auto& o) { o.advertise = "here"; }) == "cluster.advertise");
  CHECK(refused([](auto& o) { o.certificate_file = "/none"; }) == "cluster.certificate_file");
  CHECK(refused([](auto& o) { o.key_file = "/none"; }) == "cluster.key_file");
  CHECK(refused([](auto& o) { o.ca_file = "/none"; }) == "cluster.ca_file");
}
