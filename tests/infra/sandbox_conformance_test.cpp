#include "tests/infra/environment_host_conformance.hpp"
#include "tests/infra/sandbox_fixture.hpp"
#include "tests/support/fake_host.hpp"

using namespace berth;
using namespace berth::testing;

TEST_CASE("environment host: the sandbox keeps the rules of the port", "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto stream = sandbox::next_effect();
  auto sequence = std::make_shared<std::uint64_t>(0);
  host_world world{*on.host, [] {},
                   [&](const std::function<bool()>& condition) {
                     const auto deadline = std::chrono::steady_clock::now() + 20s;
                     while (!condition() && std::chrono::steady_clock::now() < deadline)
                       ::usleep(1000);
                     return condition();
                   },
                   [&](const terminal_id& terminal) {
                     std::string text;
                     on.seen.until([&](recorder& r) { return text = r.output_[terminal], true; });
                     return text;
                   },
                   [&](const terminal_id& terminal) {
                     std::optional<terminal_end> end;
                     on.seen.until([&](recorder& r) {
                       if (r.ends_.contains(terminal)) end = r.ends_[terminal];
                       return true;
                     });
                     return end;
                   },
                   // The program there is cat: what is typed is what it prints, once it has the
                   // terminal in raw mode.
                   [&, stream, sequence](const terminal_id& terminal, const std::string& text) {
                     if (*sequence == 0) ::usleep(300'000);
                     const environment_id id{"env_conformance"};
                     on.host->terminal_input(id, terminal, stream, ++*sequence, text,
                                             [](host_result<input_outcome>) {});
                   }};
  on.owns({"env_conformance"});
  on.epoch = 3;
  host_conformance(world).run();
}

TEST_CASE("environment host: the fake keeps the rules of the port", "[infra]") {
  fake_host host;
  recorder seen;
  host.observe(&seen);
  host.answer_exec(
      [count = 0](const environment_id&, const exec_request&) mutable -> host_result<exec_output> {
        exec_output out;
        out.stdout_bytes = std::to_string(++count);
        return out;
      });
  host_world world{
      host,
      [&] { host.pump(); },
      [&](const std::function<bool()>& condition) {
        host.pump();
        return condition();
      },
      [&](const terminal_id& terminal) { return seen.output_[terminal]; },
      [&](const terminal_id& terminal) {
        return seen.ends_.contains(terminal) ? std::optional(seen.ends_[terminal]) : std::nullopt;
      },
      [&](const terminal_id& terminal, const std::string& text) { host.feed(terminal, text); }};
  host_conformance(world).run();
}
