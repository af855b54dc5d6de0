// Journals of earlier releases stay readable, and fold to what they folded to then
// (tests/golden/README.md).
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/random_history.hpp"

namespace berth {
namespace {

const std::filesystem::path golden{BERTH_GOLDEN_DIRECTORY};

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<commit_body> bodies_of(const std::string& bytes) {
  std::vector<commit_body> out;
  for (std::size_t at = 0; at < bytes.size();) {
    REQUIRE(at + 4 <= bytes.size());
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < 4; ++i)
      size |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    at += 4;
    REQUIRE(at + size <= bytes.size());
    const auto body = decode_body(std::string_view{bytes}.substr(at, size));
    REQUIRE(body.has_value());
    out.push_back(*body);
    at += size;
  }
  return out;
}

std::string bytes_of(const std::vector<commit>& commits) {
  std::string out;
  for (const auto& happened : commits) {
    const auto body = encode_body(happened.body);
    for (int i = 0; i < 4; ++i) out += static_cast<char>(body.size() >> (8 * i));
    out += body;
  }
  return out;
}

template <class A>
void hash_states(const std::vector<commit_body>& bodies, std::map<std::string, std::string>& into) {
  std::map<std::string, typename A::state> states;
  for (const auto& body : bodies) {
    if (body.stream.kind != A::kind) continue;
    auto& state = states[body.stream.text()];
    for (const auto& record : body.events) {
      const auto event = A::decode(record);
      CAPTURE(body.stream.text(), body.first.value);
      REQUIRE(event.has_value());
      state = A::apply(std::move(state), *event);
    }
  }
  for (const auto& [stream, state] : states) {
    into[stream] = uuid::derived("golden", A::encode_state(state)).text();
  }
}

// Of an actor or a view: its name and the hash of what it folded to.
using fold_hashes = std::map<std::string, std::string>;
fold_hashes folded(const std::vector<commit_body>& bodies) {
  fold_hashes hashes;
  hash_states<account::aggregate>(bodies, hashes);
  hash_states<session::aggregate>(bodies, hashes);
  hash_states<environment::aggregate>(bodies, hashes);
  hash_states<terminal::aggregate>(bodies, hashes);
  hash_states<host::aggregate>(bodies, hashes);
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  for (const auto& body : bodies) REQUIRE_FALSE(journal.append(body, 0, nullptr));
  memory_view_store views;
  projector all{journal, views};
  REQUIRE(all.catch_up().has_value());
  for (const auto& fold : all_projections()) {
    const std::string name{fold->name()};
    hashes["view " + name + " version " + std::to_string(fold->version())] = all.state_hash(name);
  }
  return hashes;
}

std::string lines_of(const fold_hashes& hashes) {
  std::string out;
  for (const auto& [name, hash] : hashes) out += name + " = " + hash + '\n';
  return out;
}

fold_hashes parse_lines(const std::string& text) {
  fold_hashes out;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) {
    const auto equals = line.find(" = ");
    REQUIRE(equals != std::string::npos);
    out[line.substr(0, equals)] = line.substr(equals + 3);
  }
  return out;
}

}  // namespace

TEST_CASE("golden: a journal of every release is read and folds to the states of then",
          "[projections]") {
  int releases = 0;
  for (const auto& entry : std::filesystem::directory_iterator{golden}) {
    if (entry.path().extension() != ".bin") continue;
    CAPTURE(entry.path().filename().string());
    const auto bytes = content_of(entry.path());
    const auto bodies = bodies_of(bytes);
    CHECK(bodies.size() > 100);
    const auto now = folded(bodies);
    const auto then = content_of(std::filesystem::path{entry.path()}.replace_extension(".txt"));
    std::size_t views = 0;
    for (const auto& [name, hash] : parse_lines(then)) {
      // A view's rows may change with its version: it is rebuilt. An actor's state may not.
      const auto known = now.find(name);
      if (name.starts_with("view ") && known == now.end()) continue;
      CAPTURE(name);
      REQUIRE(known != now.end());
      CHECK(known->second == hash);
      views += name.starts_with("view ") ? 1 : 0;
    }
    CHECK(views > 0);
    ++releases;
  }
  CHECK(releases >= 1);
}

TEST_CASE("golden: record a journal of this build", "[.record]") {
  const auto* release = std::getenv("BERTH_GOLDEN");
  REQUIRE(release != nullptr);
  const auto path = golden / ("journal-" + std::string{release} + ".bin");
  REQUIRE_FALSE(std::filesystem::exists(path));
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  test::random_history{journal, 42}.grow(1500);
  const auto bytes = bytes_of(journal.read({0, 1}, 10'000).value());
  std::map<aggregate_kind, std::set<std::uint16_t>> types;
  for (const auto& body : bodies_of(bytes)) {
    for (const auto& record : body.events) types[body.stream.kind].insert(record.type);
  }
  // Worth keeping only if it holds every event this release can write.
  CHECK(types[aggregate_kind::account].size() == std::variant_size_v<account::event>);
  CHECK(types[aggregate_kind::session].size() == std::variant_size_v<session::event>);
  CHECK(types[aggregate_kind::environment].size() == std::variant_size_v<environment::event>);
  CHECK(types[aggregate_kind::terminal].size() == std::variant_size_v<terminal::event>);
  CHECK(types[aggregate_kind::host].size() == std::variant_size_v<host::event>);
  std::ofstream{path, std::ios::binary} << bytes;
  std::ofstream{std::filesystem::path{path}.replace_extension(".txt")}
      << lines_of(folded(bodies_of(bytes)));
}

}  // namespace berth
